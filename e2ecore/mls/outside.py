"""Proposing from outside of a group: services that its members listen to, clients that want in.

Spec: RFC 9420 §12.1.8 (External Proposals).
"""

from dataclasses import dataclass

from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.credential_policy import CredentialPolicy, accept_basic
from e2ecore.mls.errors import InvalidProposalError, MembershipError
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.external_senders import external_senders
from e2ecore.mls.framing import (
    AuthenticatedContent,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
    encode_body,
    signed_part,
)
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_info_rules import checked_tree, judge_group, read_group_info
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.leaf_rules import MAX_LIFETIME_S, LeafContext
from e2ecore.mls.members import Member
from e2ecore.mls.message import encode_message
from e2ecore.mls.proposals import Add, Proposal
from e2ecore.mls.public_message import PublicMessage
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.receiving import CONTENT_LABEL, FROM_OUTSIDE


@dataclass(frozen=True, slots=True)
class PublishedGroup:
    """One epoch of a group as outsiders know it, from its GroupInfo."""

    suite: CipherSuite
    context: GroupContext
    _tree: RatchetTree

    @classmethod
    def read(
        cls,
        group_info: bytes,
        *,
        ratchet_tree: bytes | None = None,
        now_ms: int | None,
        max_lifetime_s: int | None = MAX_LIFETIME_S,
        policy: CredentialPolicy = accept_basic,
    ) -> "PublishedGroup":
        """Check a GroupInfo as somebody does who joins by it.

        Args:
            group_info: The MLSMessage that a member published.
            ratchet_tree: The tree, if it does not come with it.
            now_ms: The moment to judge the members' lifetimes by; None leaves their ends unchecked.
            max_lifetime_s: Longest total lifetime of a member's leaf; None: no limit.
            policy: Asked about the credential of each member.

        Raises:
            PeerError: It breaks a rule; the sub-class says which.
        """
        suite, info = read_group_info(group_info)
        rules = LeafContext.of(
            suite, info.context.extensions, now_ms=now_ms, max_lifetime_s=max_lifetime_s
        )
        tree = checked_tree(info, ratchet_tree, rules)
        judge_group(policy, info.context, tree, None)
        return cls(suite, info.context, tree)

    @property
    def group_id(self) -> bytes:
        """The group's name."""
        return self.context.group_id

    @property
    def epoch(self) -> int:
        """The epoch in which what we propose counts."""
        return self.context.epoch

    @property
    def extensions(self) -> Extensions:
        """The extensions of the GroupContext."""
        return self.context.extensions

    def members(self) -> list[Member]:
        """Return all members in order of their leaves."""
        return [Member.of(leaf, node) for leaf, node in self._tree.members()]

    def propose(
        self, proposal: Proposal, *, signer: SigningKey, authenticated_data: bytes = b""
    ) -> bytes:
        """Return the MLSMessage in which an external sender proposes a change.

        Spec: RFC 9420 §12.1.8.1 (External Senders Extension).

        Args:
            proposal: Anything but an Update or an ExternalInit.
            signer: The key under which the group lists us.
            authenticated_data: What goes with it, for everybody to see.

        Raises:
            MembershipError: The group does not list this key.
            InvalidProposalError: External senders do not propose that.
        """
        if not isinstance(proposal, FROM_OUTSIDE):
            raise InvalidProposalError("only members propose that")
        keys = [sender.signature_key for sender in external_senders(self.context.extensions)]
        if signer.public not in keys:
            raise MembershipError("the group does not list this key as an external sender")
        sender = Sender(SenderType.EXTERNAL, keys.index(signer.public))
        return self._sign(proposal, sender, signer, authenticated_data)

    def ask_to_join(
        self, bundle: KeyPackageBundle, *, signer: SigningKey, authenticated_data: bytes = b""
    ) -> bytes:
        """Return the MLSMessage in which a client proposes that it be added.

        A member that agrees commits it, and the Welcome is for this key package.

        Args:
            bundle: Our key package. Keep it until the Welcome came.
            signer: The device's key.
            authenticated_data: What goes with it, for everybody to see.

        Raises:
            MembershipError: The key package is of another key.
            PeerError: The key package does not fit the group; the sub-class says why.
        """
        package = bundle.key_package
        if package.leaf_node.signature_key != signer.public:
            raise MembershipError("the key package is of another signature key")
        package.validate(LeafContext.of(self.suite, self.context.extensions))
        sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
        return self._sign(Add(package), sender, signer, authenticated_data)

    def _sign(
        self, proposal: Proposal, sender: Sender, signer: SigningKey, authenticated_data: bytes
    ) -> bytes:
        content = FramedContent(
            self.group_id,
            self.epoch,
            sender,
            authenticated_data,
            proposal,
            encode_body(proposal),
        )
        signed = signed_part(WireFormat.PUBLIC_MESSAGE, content, self.context.encode())
        signature = sign_with_label(signer, CONTENT_LABEL, signed)
        authenticated = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, signature, None)
        return encode_message(PublicMessage(authenticated, None))
