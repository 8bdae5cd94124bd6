"""From a message to bytes for the group.

Spec: RFC 9420 §6.1 (Content Authentication).
"""

from dataclasses import replace

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.codec import opaque
from e2ecore.mls.credential_policy import CredentialPolicy, judge_added
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
    signed_part,
)
from e2ecore.mls.framing_choice import PRIVATE, HandshakeFraming
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.leaf_rules import LeafContext, check_among, check_leaf
from e2ecore.mls.message import encode_message
from e2ecore.mls.nodes import LeafNodeSource
from e2ecore.mls.own_leaf import LeafChange, changed_leaf
from e2ecore.mls.pending import PendingProposal, proposal_ref
from e2ecore.mls.private_message import PaddingPolicy
from e2ecore.mls.proposal_rules import check_proposal
from e2ecore.mls.proposals import Add, Proposal, Remove, Update
from e2ecore.mls.public_message import PublicMessage, membership_tag
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
    state: GroupState,
    body: Body,
    signer: SigningKey,
    authenticated_data: bytes,
    framing: HandshakeFraming = PRIVATE,
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
    signed = signed_part(framing.wire_format, content, state.keys.context)
    signature = sign_with_label(signer, CONTENT_LABEL, signed)
    return AuthenticatedContent(framing.wire_format, content, signature, None)


def seal_handshake(
    state: GroupState, authenticated: AuthenticatedContent, padding: PaddingPolicy, rng: Rng
) -> bytes:
    """Return a signed handshake as an MLSMessage. If it is to be encrypted, consume the key."""
    if authenticated.wire_format is WireFormat.PUBLIC_MESSAGE:
        key, context = state.current.membership, state.keys.context
        tag = membership_tag(state.suite, key, authenticated, context)
        return encode_message(PublicMessage(authenticated, tag))
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
    framing: HandshakeFraming,
    authenticated_data: bytes,
    key: HpkePrivateKey | None = None,
) -> bytes:
    """Sign, keep and frame a proposal. ``key`` belongs to the leaf of our own update."""
    check_sender(state, signer)
    sender = Sender(SenderType.MEMBER, state.own_leaf)
    check_proposal(proposal, state.suite)
    state.pending.check_room()
    authenticated = sign_handshake(state, proposal, signer, authenticated_data, framing)
    message = seal_handshake(state, authenticated, framing.padding, rng)
    ref = proposal_ref(state.suite, authenticated)
    state.pending.add(PendingProposal(ref, SentProposal(proposal, sender, ref), key))
    return message


def checked_add(
    state: GroupState, package: KeyPackage, now_ms: int, policy: CredentialPolicy
) -> Add:
    """Return a proposal to add a client, if the group can take it.

    Raises:
        CredentialError: The policy refuses it.
        PeerError: The key package breaks a rule; the sub-class says which.
    """
    rules = LeafContext.of(state.suite, state.context.extensions, now_ms=now_ms)
    package.validate(rules)
    check_among(package.leaf_node, state.tree, None)
    judge_added(policy, state.context.group_id, package.leaf_node)
    return Add(package)


def checked_remove(state: GroupState, leaf: int) -> Remove:
    """Return a proposal to remove a member.

    Raises:
        InvalidProposalError: There is no member at this leaf.
    """
    if state.member(leaf) is None:
        raise InvalidProposalError("no member has this leaf index")
    return Remove(leaf)


def fresh_update(
    state: GroupState, signer: SigningKey, rng: Rng, change: LeafChange
) -> tuple[Update, HpkePrivateKey]:
    """Return a proposal that replaces the key of our leaf, and the new private key.

    Raises:
        PeerError: The group cannot take the changed leaf; the sub-class says why.
    """
    tree, index = state.tree, state.own_leaf
    pair = state.suite.hpke.generate(rng)
    leaf = replace(
        changed_leaf(change, tree.member(index), tree, index),
        encryption_key=pair.public,
        source=LeafNodeSource.UPDATE,
        lifetime=None,
        parent_hash=None,
    ).signed(change.signer or signer, state.context.group_id, index)
    check_leaf(leaf, LeafContext.of(state.suite, state.context.extensions))
    return Update(leaf), pair.private
