"""What can be asked of a group without changing it."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.errors import MembershipError
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_schedule import export
from e2ecore.mls.members import Member
from e2ecore.mls.nodes import MLS10
from e2ecore.mls.proposals import PreSharedKey, ReInit
from e2ecore.mls.psk import external_psk_id, resumption_psk_id
from e2ecore.mls.publishing import publish
from e2ecore.mls.staged import SentProposal

NO_PSKS: Final[Mapping[bytes, bytes]] = MappingProxyType({})
"""No external pre-shared keys."""


class GroupView:
    """The questions. ``Group`` adds the verbs."""

    __slots__ = ("_state",)

    def __init__(self, state: GroupState) -> None:
        self._state = state

    @property
    def state(self) -> GroupState:
        """What is mirrored; for this package only."""
        return self._state

    @property
    def group_id(self) -> bytes:
        """The group's name."""
        return self._state.context.group_id

    @property
    def epoch(self) -> int:
        """The current epoch."""
        return self._state.context.epoch

    @property
    def suite(self) -> CipherSuite:
        """The cipher suite."""
        return self._state.suite

    @property
    def own_leaf(self) -> int:
        """Our leaf index."""
        return self._state.own_leaf

    @property
    def extensions(self) -> Extensions:
        """The extensions of the GroupContext."""
        return self._state.context.extensions

    @property
    def tree_hash(self) -> bytes:
        """The hash of the ratchet tree."""
        return self._state.context.tree_hash

    @property
    def ratchet_tree(self) -> bytes:
        """The content of a ``ratchet_tree`` extension, for new members."""
        return self._state.tree.encode()

    @property
    def epoch_authenticator(self) -> bytes:
        """Equal for two members if and only if they are in the same state.

        Spec: RFC 9420 §8.7 (Epoch Authenticators).
        """
        return self._state.current.authenticator.raw

    @property
    def is_member(self) -> bool:
        """False after a commit that removes us was merged."""
        return not self._state.removed

    @property
    def is_closed(self) -> bool:
        """True after a reinit was committed: nothing can be sent any more."""
        return self._state.current.suspended

    @property
    def successor(self) -> ReInit | None:
        """What the group that follows this one will be, after a reinit was committed."""
        return self._state.current.reinit

    @property
    def pending_proposals(self) -> tuple[SentProposal, ...]:
        """The proposals that wait for a commit, in order of arrival."""
        return tuple(item.sent for item in self._state.pending.by_ref.values())

    def members(self) -> list[Member]:
        """Return all members in order of their leaves. Reads the whole tree."""
        return [Member.of(leaf, node) for leaf, node in self._state.tree.members()]

    def member(self, leaf: int) -> Member | None:
        """Return who sits at a leaf, or None if it is blank."""
        return self._state.member(leaf)

    def group_info(
        self, *, signer: SigningKey, with_tree: bool = True, with_external_pub: bool = True
    ) -> bytes:
        """Return this epoch's GroupInfo: who has it can join by itself, until the epoch ends.

        Spec: RFC 9420 §12.4.3.2 (Joining via External Commits). It shows who the members are: hand
        it only to those who may know.

        Args:
            signer: The key of our leaf.
            with_tree: Put the ratchet tree into it.
            with_external_pub: Put in the key that an external commit needs.

        Raises:
            UsageError: We may not speak for the group; sub-classes say why.
        """
        return publish(
            self._state, signer=signer, with_tree=with_tree, with_external_pub=with_external_pub
        )

    def psk_proposal(self, psk_id: bytes, *, rng: Rng) -> PreSharedKey:
        """Return a proposal to mix in an external pre-shared key, for ``create_commit``.

        Spec: RFC 9420 §12.1.4 (PreSharedKey).
        """
        return PreSharedKey(external_psk_id(self.suite, psk_id, rng))

    def resumption_proposal(
        self, epoch: int, *, rng: Rng, group_id: bytes | None = None
    ) -> PreSharedKey:
        """Return a proposal to mix in a resumption key, for ``create_commit``.

        Spec: RFC 9420 §8.6 (Resumption PSK). Each member keeps the keys of the last three epochs
        that it was in.

        Args:
            epoch: The epoch whose key it is.
            rng: Source of the nonce.
            group_id: Of the group whose key it is; this one if None.
        """
        name = self.group_id if group_id is None else group_id
        return PreSharedKey(resumption_psk_id(self.suite, name, epoch, rng))

    def reinit_proposal(
        self, group_id: bytes, *, suite: CipherSuite, extensions: Extensions = ()
    ) -> ReInit:
        """Return a proposal to end this group in favour of another one, for ``create_commit``.

        Spec: RFC 9420 §12.1.5 (ReInit). It goes with no other proposal. When it is committed, this
        group is closed, and one of the members calls ``begin_successor``.

        Args:
            group_id: The new group's name; never used before.
            suite: Its cipher suite.
            extensions: Of its GroupContext.

        Raises:
            MembershipError: The name is this group's.
        """
        if group_id == self.group_id:
            raise MembershipError("the new group needs a name of its own")
        return ReInit(group_id, MLS10, suite.code, extensions)

    def export(self, label: str, context: bytes, size: int) -> bytes:
        """Derive a secret for another purpose, bound to this epoch.

        Args:
            label: Names the purpose.
            context: Anything else that distinguishes it.
            size: Of the result, in bytes.
        """
        self._state.check_member()
        return export(self._state.suite, self._state.current.exporter, label, context, size)


def states(groups: Iterable[GroupView]) -> tuple[GroupState, ...]:
    """Return what these groups mirror."""
    return tuple(group.state for group in groups)
