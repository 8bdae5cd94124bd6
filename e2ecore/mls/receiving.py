"""From bytes to an authenticated message of a member. Nothing here changes the group.

Spec: RFC 9420 §6.1 (Content Authentication).
"""

from hmac import compare_digest
from typing import Final, NamedTuple

from e2ecore.mls.errors import (
    DuplicateMessageError,
    EpochTooOldError,
    InvalidCommitError,
    InvalidProposalError,
    MalformedMessageError,
    MembershipTagError,
    OwnMessageError,
    UnknownSenderError,
    WrongGroupError,
)
from e2ecore.mls.external_senders import ExternalSender, external_senders
from e2ecore.mls.framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
    signed_part,
)
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.labels import verify_with_label
from e2ecore.mls.members import Member
from e2ecore.mls.private_message import MessageKeys, Opened, PrivateMessage
from e2ecore.mls.proposals import (
    Add,
    Commit,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    Remove,
)
from e2ecore.mls.public_message import PublicMessage, membership_tag
from e2ecore.mls.secret_tree import APPLICATION, HANDSHAKE

CONTENT_LABEL = "FramedContentTBS"
"""Signature label of all group messages."""


FROM_OUTSIDE: Final = (Add, Remove, PreSharedKey, ReInit, GroupContextExtensions)
"""What external senders may propose (RFC 9420 §12.1.8 (External Proposals))."""


class Genuine(NamedTuple):
    """A decrypted PrivateMessage whose signature is right. Its key is not consumed yet."""

    keys: MessageKeys
    sender: Member
    opened: Opened


def open_private(state: GroupState, message: PrivateMessage) -> Genuine:
    """Decrypt a PrivateMessage and verify its signature.

    Raises:
        WrongGroupError: Of another group.
        EpochInFutureError: Keep it until the commits before it came.
        EpochTooOldError: Its epoch's secrets are deleted; for handshakes: its epoch is over.
        UnknownSenderError: It names no member.
        OwnMessageError: It names ourselves, and we have not sent it.
        DuplicateMessageError: It was received before, or sent by ourselves.
        PeerError: It is not authentic; other sub-classes say why.
    """
    if message.group_id != state.context.group_id:
        raise WrongGroupError
    keys = state.message_keys(message.epoch)
    leaf, generation, guard = keys.open_sender(message)
    sender = state.sender(message.epoch, leaf)
    if sender is None:
        raise UnknownSenderError
    application = message.content_type == ContentType.APPLICATION
    own = leaf == state.own_leaf
    if own or (not application and message.epoch != state.epoch):
        if keys.tree.used(leaf, APPLICATION if application else HANDSHAKE, generation):
            raise DuplicateMessageError
        raise OwnMessageError if own else EpochTooOldError
    opened = keys.open(message, leaf, generation, guard)
    signed = keys.signed_part(
        leaf, message.content_type, message.authenticated_data, opened.encoded
    )
    verify_with_label(keys.suite, sender.signature_key, CONTENT_LABEL, signed, opened.signature)
    return Genuine(keys, sender, opened)


def handshake_of(state: GroupState, genuine: Genuine) -> AuthenticatedContent:
    """Return a decrypted handshake as the transcript hashes it."""
    opened = genuine.opened
    content = FramedContent(
        state.context.group_id,
        genuine.keys.epoch,
        Sender(SenderType.MEMBER, genuine.sender.leaf),
        opened.authenticated_data,
        opened.body,
        opened.encoded,
    )
    return AuthenticatedContent(
        WireFormat.PRIVATE_MESSAGE, content, opened.signature, opened.confirmation_tag
    )


def open_public(state: GroupState, message: PublicMessage) -> AuthenticatedContent:
    """Verify membership tag and signature of a PublicMessage.

    Raises:
        WrongGroupError: Of another group.
        DuplicateMessageError: It is the commit that began the current epoch, or our own.
        EpochInFutureError: Keep it until the commits before it came.
        EpochTooOldError: Its epoch is over.
        UnknownSenderError: It names no member.
        MembershipTagError: The sender does not prove to be a member.
        PeerError: It is not authentic; other sub-classes say why.
    """
    authenticated = message.authenticated
    content = authenticated.content
    if content.group_id != state.context.group_id:
        raise WrongGroupError
    _check_new(state, authenticated)
    if content.content_type is ContentType.APPLICATION:
        raise MalformedMessageError("application data in clear")
    key = _signature_key(state, content)
    if content.sender.type is SenderType.MEMBER:
        expected = membership_tag(
            state.suite, state.current.membership, authenticated, state.keys.context
        )
        if not compare_digest(expected, message.membership_tag or b""):
            raise MembershipTagError
    signed = signed_part(WireFormat.PUBLIC_MESSAGE, content, state.keys.context)
    verify_with_label(state.suite, key, CONTENT_LABEL, signed, authenticated.signature)
    if content.sender == Sender(SenderType.MEMBER, state.own_leaf):
        raise DuplicateMessageError
    return authenticated


def _check_new(state: GroupState, authenticated: AuthenticatedContent) -> None:
    """Refuse a PublicMessage that is not of the current epoch."""
    tag, epoch = authenticated.confirmation_tag, authenticated.content.epoch
    if tag is not None and epoch + 1 == state.epoch and tag == state.current.confirmation_tag:
        raise DuplicateMessageError
    state.check_current(epoch)


def _signature_key(state: GroupState, content: FramedContent) -> bytes:
    """Return the key that must have signed a PublicMessage."""
    sender, body = content.sender, content.body
    if sender.type is SenderType.MEMBER:
        member = state.member(sender.index)
        if member is None:
            raise UnknownSenderError
        return member.signature_key
    if sender.type is SenderType.NEW_MEMBER_COMMIT:
        if not isinstance(body, Commit) or body.path is None:
            raise InvalidCommitError("an external commit without an update path")
        return body.path.leaf_node.signature_key
    if isinstance(body, Commit):
        raise InvalidProposalError("only members and new members commit")
    if sender.type is SenderType.EXTERNAL:
        return external_sender(state, sender).signature_key
    if not isinstance(body, Add):
        raise MalformedMessageError("a client outside of the group asks for more than to be added")
    return body.key_package.leaf_node.signature_key


def external_sender(state: GroupState, sender: Sender) -> ExternalSender:
    """Return the external sender that a message names.

    Raises:
        UnknownSenderError: The group does not list it.
    """
    listed = external_senders(state.context.extensions)
    if sender.index >= len(listed):
        raise UnknownSenderError
    return listed[sender.index]
