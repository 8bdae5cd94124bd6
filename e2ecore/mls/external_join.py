"""Joins a group that did not invite us: an external commit, made from its published GroupInfo.

Spec: RFC 9420 §12.4.3.2 (Joining via External Commits).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls import transcript
from e2ecore.mls.applying import Applied, LifetimePolicy, apply_proposals
from e2ecore.mls.credential_policy import CredentialPolicy
from e2ecore.mls.credentials import Credential
from e2ecore.mls.epoch_change import (
    Derived,
    current_epoch,
    derive_epoch,
    provisional_context,
)
from e2ecore.mls.errors import MembershipError
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.external import EXTERNAL_INIT_LABEL
from e2ecore.mls.framing import (
    AuthenticatedContent,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
    encode_body,
    signed_part,
)
from e2ecore.mls.group_info import GroupInfo
from e2ecore.mls.group_info_rules import checked_tree, judge_group, read_group_info
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_schedule import InitSecret
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.leaf_rules import LeafContext, check_among, check_leaf
from e2ecore.mls.message import encode_message
from e2ecore.mls.nodes import Capabilities, LeafNode, LeafNodeSource
from e2ecore.mls.pending_join import PendingJoin
from e2ecore.mls.proposal_rules import check_external_list
from e2ecore.mls.proposals import Commit, ExternalInit, PreSharedKey, Proposal, Remove
from e2ecore.mls.psk import PskStore, external_psk_id, resumption_psk_id
from e2ecore.mls.public_message import PublicMessage
from e2ecore.mls.publishing import external_public_key
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.receiving import CONTENT_LABEL
from e2ecore.mls.staged import NextEpoch, SentProposal
from e2ecore.mls.treekem import NewPath, new_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """What we say about ourselves.

    Attributes:
        capabilities: What we announce; the group's suite and our credential's type if None.
    """

    signer: SigningKey
    credential: Credential
    capabilities: Capabilities | None = None
    leaf_extensions: Extensions = ()

    def leaf(self, suite: CipherSuite) -> LeafNode:
        """Return our leaf, still without key and signature."""
        capabilities = self.capabilities or Capabilities(
            cipher_suites=(suite.code,), credentials=(self.credential.type,)
        )
        return LeafNode(
            encryption_key=b"",
            signature_key=self.signer.public,
            credential=self.credential,
            capabilities=capabilities,
            source=LeafNodeSource.COMMIT,
            extensions=self.leaf_extensions,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinOptions:
    """How to join.

    Attributes:
        ratchet_tree: The tree, if it does not come with the GroupInfo.
        resync: Take the place of our former self.
        inject: Ids of external pre-shared keys to mix in.
        proof: An earlier state of ours whose resumption key to mix in.
        psks: External pre-shared keys by their ids.
    """

    lifetimes: LifetimePolicy
    policy: CredentialPolicy
    ratchet_tree: bytes | None = None
    resync: bool = False
    inject: Sequence[bytes] = ()
    proof: GroupState | None = None
    psks: Mapping[bytes, bytes]
    authenticated_data: bytes = b""


@dataclass(slots=True)
class _Outside:
    """What a client outside of a group knows about it."""

    suite: CipherSuite
    info: GroupInfo
    tree: RatchetTree


def join_by_commit(
    message: bytes, newcomer: Newcomer, *, rng: Rng, options: JoinOptions
) -> PendingJoin:
    """Check the GroupInfo and make the commit that adds us.

    Raises:
        InvalidGroupInfoError: It is not what it should be.
        MembershipError: We want to replace our former self, and it is not there.
        UnknownPskError: A pre-shared key to inject is not at hand.
        PeerError: Something in it breaks a rule; the sub-class says which.
    """
    outside = _believe(message, options)
    suite, context = outside.suite, outside.info.context
    enc, secret = suite.hpke.export_sender(
        external_public_key(outside.info), b"", EXTERNAL_INIT_LABEL, suite.nh
    )
    listed = _proposals(outside, newcomer, ExternalInit(enc), rng, options)
    applied = _apply(outside, listed, options)
    path, own_leaf = _new_leaf(applied, newcomer, rng)
    provisional = provisional_context(context, applied)
    commit = Commit(listed, path.seal(applied.tree, provisional.encode(), ()))
    authenticated = _sign(outside, commit, newcomer.signer, options.authenticated_data)
    derived = derive_epoch(
        applied,
        provisional,
        authenticated,
        interim_hash=transcript.interim_hash(
            suite, context.confirmed_transcript_hash, outside.info.confirmation_tag
        ),
        init=InitSecret(secret),
        commit_secret=path.keys.commit_secret,
    )
    authenticated = replace(authenticated, confirmation_tag=derived.confirmation_tag)
    sealed = encode_message(PublicMessage(authenticated, None))
    return PendingJoin(sealed, suite, own_leaf, _first_epoch(applied, derived, path))


def _believe(message: bytes, options: JoinOptions) -> _Outside:
    suite, info = read_group_info(message)
    rules = LeafContext.of(
        suite,
        info.context.extensions,
        now_ms=options.lifetimes.now_ms,
        max_lifetime_s=options.lifetimes.max_lifetime_s,
    )
    tree = checked_tree(info, options.ratchet_tree, rules)
    judge_group(options.policy, info.context, tree, None)
    return _Outside(suite, info, tree)


def _proposals(
    outside: _Outside, newcomer: Newcomer, init: ExternalInit, rng: Rng, options: JoinOptions
) -> tuple[Proposal, ...]:
    listed: list[Proposal] = [init]
    if options.resync:
        listed.append(Remove(_former_self(outside.tree, newcomer)))
    suite, proof = outside.suite, options.proof
    listed.extend(PreSharedKey(external_psk_id(suite, name, rng)) for name in options.inject)
    if proof is not None:
        named = resumption_psk_id(suite, proof.context.group_id, proof.epoch, rng)
        listed.append(PreSharedKey(named))
    return tuple(listed)


def _former_self(tree: RatchetTree, newcomer: Newcomer) -> int:
    """Return the leaf with our key, or else the only one with our credential."""
    node = tree.find_signature_key(newcomer.signer.public)
    if node is not None:
        return node >> 1
    ours = [leaf for leaf, each in tree.members() if each.credential == newcomer.credential]
    if len(ours) != 1:
        raise MembershipError("no leaf, or more than one, is our former self")
    return ours[0]


def _apply(outside: _Outside, listed: Sequence[Proposal], options: JoinOptions) -> Applied:
    sender = Sender(SenderType.NEW_MEMBER_COMMIT)
    sent = [SentProposal(proposal, sender, None) for proposal in listed]
    check_external_list(sent, outside.suite)
    return apply_proposals(
        outside.tree,
        outside.info.context,
        sent,
        psks=PskStore(options.psks, () if options.proof is None else (options.proof,)),
        lifetimes=options.lifetimes,
    )


def _new_leaf(applied: Applied, newcomer: Newcomer, rng: Rng) -> tuple[NewPath, int]:
    """Put ourselves into the leftmost blank leaf, if the members will accept that."""
    template = newcomer.leaf(applied.tree.suite)
    check_among(template, applied.tree, None)
    own_leaf = applied.tree.next_leaf()
    path = new_path(
        applied.tree,
        own_leaf,
        template,
        group_id=applied.group_id,
        signer=newcomer.signer,
        rng=rng,
    )
    check_leaf(path.leaf_node, applied.rules)
    return path, own_leaf


def _sign(
    outside: _Outside, commit: Commit, signer: SigningKey, authenticated_data: bytes
) -> AuthenticatedContent:
    context = outside.info.context
    content = FramedContent(
        context.group_id,
        context.epoch,
        Sender(SenderType.NEW_MEMBER_COMMIT),
        authenticated_data,
        commit,
        encode_body(commit),
    )
    signed = signed_part(WireFormat.PUBLIC_MESSAGE, content, context.encode())
    signature = sign_with_label(signer, CONTENT_LABEL, signed)
    return AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, signature, None)


def _first_epoch(applied: Applied, derived: Derived, path: NewPath) -> NextEpoch:
    applied.tree.settle()
    nodes = {index: node.encode() for index, node in applied.tree.nodes()}
    return NextEpoch(
        derived.context,
        current_epoch(applied, derived),
        derived.secrets.encryption,
        applied.tree,
        nodes,
        path.keys.private_keys,
    )
