"""Lets clients join without an invitation: the group's state, signed by a member.

Spec: RFC 9420 §12.4.3.2 (Joining via External Commits).
"""

from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.codec import Reader, decode_all, opaque
from e2ecore.mls.errors import InvalidGroupInfoError
from e2ecore.mls.extensions import Extension, ExtensionType, find_extension
from e2ecore.mls.group_info import GroupInfo
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.message import encode_message
from e2ecore.mls.sending import check_sender


def publish(
    state: GroupState, *, signer: SigningKey, with_tree: bool, with_external_pub: bool
) -> bytes:
    """Return the GroupInfo of this epoch as an MLSMessage.

    Raises:
        UsageError: We may not speak for the group; sub-classes say why.
    """
    check_sender(state, signer)
    extensions = []
    if with_tree:
        extensions.append(Extension(ExtensionType.RATCHET_TREE, state.tree.encode()))
    if with_external_pub:
        public = state.suite.hpke.derive_key_pair(state.current.external.raw).public
        extensions.append(Extension(ExtensionType.EXTERNAL_PUB, opaque(public)))
    info = GroupInfo(
        state.context,
        tuple(extensions),
        state.current.confirmation_tag,
        state.own_leaf,
        signature=b"",
    )
    return encode_message(info.signed(signer))


def external_public_key(info: GroupInfo) -> bytes:
    """Return the key to which an external commit of this epoch encrypts.

    Raises:
        InvalidGroupInfoError: The group does not publish it.
        MalformedMessageError: The extension does not decode.
    """
    data = find_extension(info.extensions, ExtensionType.EXTERNAL_PUB)
    if data is None:
        raise InvalidGroupInfoError("the group's state was published without an external key")
    return decode_all(Reader.opaque, data)
