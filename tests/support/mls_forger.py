"""A hostile member with its real keys: it departs from the rules in one place and nowhere else.

What follows from the departure (tree hash, parent hashes, signatures, path secrets, key schedule,
confirmation tag) is computed anew, so that nothing but the rule in question can refuse the result.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest

from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.applying import Applied, LifetimePolicy, apply_proposals
from e2ecore.mls.epoch_change import derive_epoch, known_psks, provisional_context
from e2ecore.mls.framing import (
    AuthenticatedContent,
    Body,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
    encode_body,
    signed_part,
)
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_schedule import CommitSecret, InitSecret
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.message import encode_message
from e2ecore.mls.nodes import LeafNode, ParentNode
from e2ecore.mls.private_message import no_padding
from e2ecore.mls.proposals import Commit, Proposal, ProposalOrRef, ProposalRef
from e2ecore.mls.psk import PskStore
from e2ecore.mls.public_message import PublicMessage, membership_tag
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.sending import seal_handshake
from e2ecore.mls.staged import SentProposal
from e2ecore.mls.tree_hash import parent_hash
from e2ecore.mls.treekem import NewPath, UpdatePath, new_path
from tests.support.mls_forgery import lawless
from tests.support.mls_groups import Device

T = TypeVar("T")

CONTENT_LABEL = "FramedContentTBS"


def same(value: T) -> T:
    """Depart from nothing."""
    return value


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Where a commit departs from the rules; one field per forgery.

    Attributes:
        applied: What the forger applies, if it is not what the commit lists.
        listed: The commit's list of proposals.
        leaf: The path's leaf, before it is signed.
        leaf_signer: Signs the leaf instead of the forger.
        signed_leaf: The path's leaf, after it was signed.
        keys: The public keys of the path's parents, from the lowest up.
        path: The path, after its secrets were sealed.
        content: What is signed.
        signer: Signs the commit instead of the forger.
        init: The init secret, if it is not the epoch's.
        signed: The signed content, before the transcript hashes it.
        sent: The content with its confirmation tag.
        public: The PublicMessage, if it is to be one.
    """

    applied: Sequence[Proposal] | None = None
    listed: Callable[[tuple[ProposalOrRef, ...]], tuple[ProposalOrRef, ...]] = same
    leaf: Callable[[LeafNode], LeafNode] = same
    leaf_signer: SigningKey | None = None
    signed_leaf: Callable[[LeafNode], LeafNode] = same
    keys: Callable[[list[bytes]], list[bytes]] = same
    path: Callable[[UpdatePath], UpdatePath] = same
    content: Callable[[FramedContent], FramedContent] = same
    signer: SigningKey | None = None
    init: InitSecret | None = None
    signed: Callable[[AuthenticatedContent], AuthenticatedContent] = same
    sent: Callable[[AuthenticatedContent], AuthenticatedContent] = same
    public: Callable[[PublicMessage], PublicMessage] | None = None


NO_FAULT = Fault()

_LEAF_RULES = (
    "applying.check_leaf",
    "applying.check_among",
    "applying.check_source",
    "applying.check_required",
    "applying.check_senders",
    "applying._check_everybody",
    "key_package.KeyPackage.validate",
)


@contextmanager
def outlaw(suite: CipherSuite) -> Iterator[None]:
    """Apply proposals without any rule, signatures included."""
    with lawless(*_LEAF_RULES), pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(suite.signature), "verify", lambda *_: None)
        yield


class Forger:
    """Seals what no honest member would."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.leaf = device.group.own_leaf
        self.psks: dict[bytes, bytes] = {}

    @property
    def state(self) -> GroupState:
        return self.device.group.state

    def commit(
        self,
        proposals: Sequence[ProposalOrRef] = (),
        fault: Fault = NO_FAULT,
        *,
        path: bool = True,
    ) -> bytes:
        """Make a commit with one fault. The forger's group stays as it is."""
        state = self.state
        applied = self._apply(proposals if fault.applied is None else fault.applied)
        new = self._path(applied, fault) if path else None
        provisional = provisional_context(state.context, applied)
        sealed = None if new is None else self._seal(applied, new, provisional, fault)
        body = Commit(fault.listed(tuple(proposals)), sealed)
        secret = CommitSecret(bytes(state.suite.nh)) if new is None else new.keys.commit_secret
        signed = fault.signed(self._sign(body, fault))
        derived = derive_epoch(
            applied,
            provisional,
            signed,
            interim_hash=state.current.interim_hash,
            init=fault.init or state.current.init,
            commit_secret=secret,
        )
        return self._send(
            fault.sent(replace(signed, confirmation_tag=derived.confirmation_tag)), fault
        )

    def propose(self, proposal: Proposal, fault: Fault = NO_FAULT) -> bytes:
        """Send a proposal that no honest member would."""
        return self._send(fault.signed(self._sign(proposal, fault)), fault)

    def _apply(self, proposals: Sequence[ProposalOrRef]) -> Applied:
        state = self.state
        own = Sender(SenderType.MEMBER, self.leaf)
        sent = [
            state.pending.by_ref[item.hash].sent
            if isinstance(item, ProposalRef)
            else SentProposal(item, own, None)
            for item in proposals
        ]
        with outlaw(state.suite):
            return apply_proposals(
                state.tree,
                state.context,
                sent,
                psks=known_psks(state, PskStore(self.psks)),
                lifetimes=LifetimePolicy(None, None),
            )

    def _path(self, applied: Applied, fault: Fault) -> NewPath:
        device, tree, group_id = self.device, applied.tree, self.state.context.group_id
        new = new_path(
            tree,
            self.leaf,
            tree.leaf(self.leaf) or self.state.tree.member(self.leaf),
            group_id=group_id,
            signer=device.signer,
            rng=device.rng,
        )
        keys = [pair.encryption_key for pair in _parents(tree, self.leaf)]
        forged = fault.keys(list(keys))
        leaf = new.leaf_node
        if forged != keys:
            leaf = replace(leaf, parent_hash=set_parents(tree, self.leaf, forged))
        leaf = fault.leaf(leaf)
        if leaf is not new.leaf_node:
            leaf = leaf.signed(fault.leaf_signer or device.signer, group_id, self.leaf)
        leaf = fault.signed_leaf(leaf)
        tree.set_leaf(self.leaf, leaf)
        return replace(new, leaf_node=leaf)

    def _seal(
        self, applied: Applied, new: NewPath, provisional: GroupContext, fault: Fault
    ) -> UpdatePath:
        path = new.seal(applied.tree, provisional.encode(), applied.added_leaves)
        keys = [node.encryption_key for node in _parents(applied.tree, self.leaf)]
        nodes = tuple(
            node._replace(encryption_key=key) for node, key in zip(path.nodes, keys, strict=True)
        )
        return fault.path(replace(path, nodes=nodes))

    def _sign(self, body: Body, fault: Fault) -> AuthenticatedContent:
        state = self.state
        wire = WireFormat.PRIVATE_MESSAGE if fault.public is None else WireFormat.PUBLIC_MESSAGE
        content = fault.content(
            FramedContent(
                state.context.group_id,
                state.epoch,
                Sender(SenderType.MEMBER, self.leaf),
                b"",
                body,
                encode_body(body),
            )
        )
        signed = signed_part(wire, content, state.keys.context)
        signature = sign_with_label(fault.signer or self.device.signer, CONTENT_LABEL, signed)
        return AuthenticatedContent(wire, content, signature, None)

    def _send(self, sent: AuthenticatedContent, fault: Fault) -> bytes:
        state = self.state
        if fault.public is None:
            return seal_handshake(state, sent, no_padding, self.device.rng)
        tag = membership_tag(state.suite, state.current.membership, sent, state.keys.context)
        return encode_message(fault.public(PublicMessage(sent, tag)))


def _parents(tree: RatchetTree, leaf: int) -> list[ParentNode]:
    nodes = [tree.parent_node(index) for index, _ in tree.filtered_direct_path(leaf)]
    return [node for node in nodes if node is not None]


def set_parents(tree: RatchetTree, leaf: int, keys: Sequence[bytes]) -> bytes:
    """Give the parents above a leaf these keys, and return the parent hash for the leaf."""
    above = b""
    path = tree.filtered_direct_path(leaf)
    for (index, other), key in zip(reversed(path), reversed(keys), strict=True):
        tree.set_parent(index, ParentNode(key, above))
        above = parent_hash(tree.suite, key, above, tree.tree_hash(other))
    return above
