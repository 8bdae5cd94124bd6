"""From a message to bytes for the group. What we send is always a PrivateMessage.

Spec: RFC 9420 §6.1 (Content Authentication).
"""

from dataclasses import replace

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.codec import opaque
from e2ecore.mls.errors import InvalidProposalError, MembershipError, PendingChangeError
from e2ecore.mls.framing import (
    AuthenticatedContent,
    Body,
    ContentType,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
    encode_body,
)
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.leaf_rules import LeafContext, check_among
from e2ecore.mls.nodes import LeafNode, LeafNodeSource
from e2ecore.mls.pending import PendingProposal, proposal_ref
from e2ecore.mls.private_message import PaddingPolicy
from e2ecore.mls.proposal_rules import check_proposal
from e2ecore.mls.proposals import Add, Proposal, Remove, Update
from e2ecore.mls.receiving import CONTENT_LABEL
from e2ecore.mls.staged import SentProposal


def check_sender(state: GroupState, signer: SigningKey) -> None:
    """Refuse to send what nobody would accept.

    Raises:
        RemovedFromGroupError: We are no longer a member.
        PendingChangeError: The group was closed by a reinit.
        MembershipError: ``signer`` is not the key in our leaf.
    """
    state.check_member()
    if state.current.suspended:
        raise PendingChangeError("the group was closed by a reinit")
    own = state.member(state.own_leaf)
    if own is None or own.signature_key != signer.public:
        raise MembershipError("this is not the signature key of our leaf")


def seal_application(
    state: GroupState,
    data: bytes,
    *,
    authenticated_data: bytes,
    signer: SigningKey,
    padding: PaddingPolicy,
    rng: Rng,
) -> bytes:
    """Sign and encrypt application data, and consume the key.

    Raises:
        PendingChangeError: Proposals wait for a commit (RFC 9420 §12.4 (Commit)).
        UsageError: We may not send; other sub-classes say why.
    """
    check_sender(state, signer)
    if state.pending.by_ref:
        raise PendingChangeError("proposals wait for a commit: commit or discard them first")
    keys, encoded = state.keys, opaque(data)
    signed = keys.signed_part(state.own_leaf, ContentType.APPLICATION, authenticated_data, encoded)
    signature = sign_with_label(signer, CONTENT_LABEL, signed)
    return keys.seal(
        encoded + opaque(signature),
        leaf=state.own_leaf,
        content_type=ContentType.APPLICATION,
        authenticated_data=authenticated_data,
        padding=padding,
        rng=rng,
    )


def sign_handshake(
    state: GroupState, body: Body, signer: SigningKey, authenticated_data: bytes
) -> AuthenticatedContent:
    """Sign a proposal or commit; a commit's confirmation tag is still missing."""
    content = FramedContent(
        state.context.group_id,
        state.epoch,
        Sender(SenderType.MEMBER, state.own_leaf),
        authenticated_data,
        body,
        encode_body(body),
    )
    signed = state.keys.signed_part(
        state.own_leaf, content.content_type, authenticated_data, content.encoded
    )
    signature = sign_with_label(signer, CONTENT_LABEL, signed)
    return AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, content, signature, None)


def seal_handshake(
    state: GroupState, authenticated: AuthenticatedContent, padding: PaddingPolicy, rng: Rng
) -> bytes:
    """Encrypt a signed handshake, and consume the key."""
    content = authenticated.content
    return state.keys.seal(
        content.encoded + authenticated.encode_auth(),
        leaf=state.own_leaf,
        content_type=content.content_type,
        authenticated_data=content.authenticated_data,
        padding=padding,
        rng=rng,
    )


def propose(
    state: GroupState,
    proposal: Proposal,
    *,
    signer: SigningKey,
    rng: Rng,
    padding: PaddingPolicy,
    authenticated_data: bytes,
    key: HpkePrivateKey | None = None,
) -> bytes:
    """Sign, keep and encrypt a proposal. ``key`` belongs to the leaf of our own update."""
    check_sender(state, signer)
    sender = Sender(SenderType.MEMBER, state.own_leaf)
    check_proposal(proposal, state.suite)
    state.pending.check_room()
    authenticated = sign_handshake(state, proposal, signer, authenticated_data)
    message = seal_handshake(state, authenticated, padding, rng)
    ref = proposal_ref(state.suite, authenticated)
    state.pending.add(PendingProposal(ref, SentProposal(proposal, sender, ref), key))
    return message


def checked_add(state: GroupState, package: KeyPackage, now_ms: int) -> Add:
    """Return a proposal to add a client, if the group can take it.

    Raises:
        PeerError: The key package breaks a rule; the sub-class says which.
    """
    rules = LeafContext.of(state.suite, state.context.extensions, now_ms=now_ms)
    package.validate(rules)
    check_among(package.leaf_node, state.tree, None)
    return Add(package)


def checked_remove(state: GroupState, leaf: int) -> Remove:
    """Return a proposal to remove a member.

    Raises:
        InvalidProposalError: There is no member at this leaf.
    """
    if state.member(leaf) is None:
        raise InvalidProposalError("no member has this leaf index")
    return Remove(leaf)


def fresh_update(state: GroupState, signer: SigningKey, rng: Rng) -> tuple[Update, HpkePrivateKey]:
    """Return a proposal that replaces the key of our leaf, and the new private key."""
    pair = state.suite.hpke.generate(rng)
    leaf = replace(
        own_leaf_node(state),
        encryption_key=pair.public,
        source=LeafNodeSource.UPDATE,
        lifetime=None,
        parent_hash=None,
    )
    return Update(leaf.signed(signer, state.context.group_id, state.own_leaf)), pair.private


def own_leaf_node(state: GroupState) -> LeafNode:
    """Return our own leaf."""
    return state.tree.member(state.own_leaf)
