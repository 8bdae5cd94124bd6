"""Parties outside of a group: a new member that adds itself, and members that send in clear."""

from collections.abc import Callable
from dataclasses import replace

from e2ecore.mls.applying import Applied
from e2ecore.mls.codec import decode_all
from e2ecore.mls.epoch_change import derive_epoch, provisional_context
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
from e2ecore.mls.key_schedule import InitSecret
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.leaf_rules import LeafContext
from e2ecore.mls.message import encode_message
from e2ecore.mls.nodes import LeafNode
from e2ecore.mls.proposals import Commit, ExternalInit, Proposal, Remove
from e2ecore.mls.public_message import PublicMessage, membership_tag
from e2ecore.mls.treekem import new_path
from tests.support.mls_groups import Device

LABEL = "FramedContentTBS"


def in_clear(
    device: Device,
    body: Body,
    *,
    sender: Sender | None = None,
    alter: Callable[[PublicMessage], PublicMessage] = lambda message: message,
    confirmation_tag: bytes | None = None,
) -> bytes:
    """Send a handshake of a member, or of somebody it claims to be, as a PublicMessage."""
    state = device.group.state
    sender = sender or Sender(SenderType.MEMBER, state.own_leaf)
    content = FramedContent(
        state.context.group_id, state.epoch, sender, b"", body, encode_body(body)
    )
    signed = signed_part(WireFormat.PUBLIC_MESSAGE, content, state.keys.context)
    signature = sign_with_label(device.signer, LABEL, signed)
    if isinstance(body, Commit) and confirmation_tag is None:
        confirmation_tag = bytes(32)
    authenticated = AuthenticatedContent(
        WireFormat.PUBLIC_MESSAGE, content, signature, confirmation_tag
    )
    tag = None
    if sender.type is SenderType.MEMBER:
        tag = membership_tag(
            state.suite, state.current.membership, authenticated, state.keys.context
        )
    return encode_message(alter(PublicMessage(authenticated, tag)))


class ExternalJoiner:
    """Adds itself to a group of which it was shown the public state."""

    def __init__(self, device: Device, member: Device) -> None:
        self.device = device
        self.state = member.group.state
        external = self.state.suite.hpke.derive_key_pair(self.state.current.external.raw)
        enc, secret = self.state.suite.hpke.export_sender(
            external.public, b"", b"MLS 1.0 external init secret", self.state.suite.nh
        )
        self.external_init, self.init = ExternalInit(enc), InitSecret(secret)
        self.content_signer = device.signer
        self.encryption_key: bytes | None = None

    def commit(
        self,
        *others: Proposal,
        proposals: tuple[Proposal, ...] | None = None,
        alter: Callable[[Commit], Commit] = lambda commit: commit,
    ) -> bytes:
        """Make the commit; ``proposals`` replaces what an honest joiner would list."""
        state, device = self.state, self.device
        listed = (self.external_init, *others) if proposals is None else proposals
        rules = LeafContext.of(state.suite, state.context.extensions)
        applied = Applied(state.tree.fork(), rules, state.context.group_id)
        for proposal in listed:
            if isinstance(proposal, Remove) and applied.tree.leaf(proposal.removed) is not None:
                applied.tree.remove_leaf(proposal.removed)
        leaf = applied.tree.next_leaf()
        path = new_path(
            applied.tree,
            leaf,
            self.template(),
            group_id=state.context.group_id,
            signer=device.signer,
            rng=device.rng,
        )
        if self.encryption_key is not None:
            node = replace(path.leaf_node, encryption_key=self.encryption_key)
            node = node.signed(device.signer, state.context.group_id, leaf)
            applied.tree.set_leaf(leaf, node)
            path = replace(path, leaf_node=node)
        provisional = provisional_context(state.context, applied)
        sealed = path.seal(applied.tree, provisional.encode(), ())
        body = alter(Commit(listed, sealed))
        content = FramedContent(
            state.context.group_id,
            state.epoch,
            Sender(SenderType.NEW_MEMBER_COMMIT),
            b"",
            body,
            encode_body(body),
        )
        signed = signed_part(WireFormat.PUBLIC_MESSAGE, content, state.keys.context)
        signature = sign_with_label(self.content_signer, LABEL, signed)
        sent = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, signature, None)
        derived = derive_epoch(
            applied,
            provisional,
            sent,
            interim_hash=state.current.interim_hash,
            init=self.init,
            commit_secret=path.keys.commit_secret,
        )
        self.authenticator = derived.secrets.authenticator.raw
        tagged = replace(sent, confirmation_tag=derived.confirmation_tag)
        return encode_message(PublicMessage(tagged, None))

    def template(self) -> LeafNode:
        """Return a leaf with what the device says about itself."""
        package = self.device.bundle().key_package
        return decode_all(LeafNode.read, package.leaf_node.encode())
