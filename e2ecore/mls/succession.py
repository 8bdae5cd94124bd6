"""Groups that continue others: a successor after a reinit, a subgroup that branches off.

Spec: RFC 9420 §11.2 (Reinitialization) and RFC 9420 §11.3 (Subgroup Branching).
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.commit_create import CommitOptions, create_commit
from e2ecore.mls.creation import create_group
from e2ecore.mls.credential_policy import CredentialPolicy
from e2ecore.mls.errors import (
    InvalidWelcomeError,
    MembershipError,
    UnsupportedError,
)
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_package import KeyPackage, KeyPackageBundle
from e2ecore.mls.members import Member
from e2ecore.mls.nodes import MLS10
from e2ecore.mls.proposals import Add, PreSharedKey, ReInit
from e2ecore.mls.psk import (
    PskId,
    PskStore,
    ResumptionPskId,
    ResumptionUsage,
    resumption_psk_id,
)
from e2ecore.mls.ratchet_tree import RatchetTree

Identify = Callable[[Member], Hashable]
"""Returns what makes two leaves of different groups the same member to the application."""


def by_credential(member: Member, /) -> Hashable:
    """Take members with equal credentials for the same."""
    return member.credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """How to found a group that continues another one.

    Attributes:
        bundle: Our own key package, for the new group's suite.
        packages: Those of the others.
        signer: Our signature key in the new group.
        identify: Says who of the old group is who.
    """

    bundle: KeyPackageBundle
    packages: Sequence[KeyPackage]
    signer: SigningKey
    now_ms: int
    identify: Identify
    policy: CredentialPolicy


def found_successor(
    old: GroupState, reinit: ReInit, founding: Founding, rng: Rng
) -> tuple[GroupState, bytes]:
    """Begin the group that a committed reinit announced, and invite all members to it.

    Returns:
        The new group in epoch 1, and the Welcome.

    Raises:
        MembershipError: Somebody is missing.
        PeerError: A key package breaks a rule; the sub-class says which.
    """
    if reinit.version != MLS10:
        raise UnsupportedError("the reinit wants another version of MLS")
    if not _people(old.tree, founding.identify) <= _invited(founding):
        raise MembershipError("a member of the old group is missing")
    return _found(old, founding, ResumptionUsage.REINIT, reinit.group_id, reinit.extensions, rng)


def found_branch(
    old: GroupState, founding: Founding, group_id: bytes, extensions: Extensions, rng: Rng
) -> tuple[GroupState, bytes]:
    """Begin a group of some of the members, tied to this one.

    Returns:
        The new group in epoch 1, and the Welcome.

    Raises:
        MembershipError: Somebody is no member.
        PeerError: A key package breaks a rule; the sub-class says which.
    """
    if not _invited(founding) <= _people(old.tree, founding.identify):
        raise MembershipError("somebody is not a member of the old group")
    return _found(old, founding, ResumptionUsage.BRANCH, group_id, extensions, rng)


def _people(tree: RatchetTree, identify: Identify) -> set[Hashable]:
    return {identify(Member.of(leaf, node)) for leaf, node in tree.members()}


def _invited(founding: Founding) -> set[Hashable]:
    packages = (founding.bundle.key_package, *founding.packages)
    leaves = (package.leaf_node for package in packages)
    return {founding.identify(Member.of(index, leaf)) for index, leaf in enumerate(leaves)}


def _found(  # noqa: PLR0917 - two callers, and nothing to leave out
    old: GroupState,
    founding: Founding,
    usage: ResumptionUsage,
    group_id: bytes,
    extensions: Extensions,
    rng: Rng,
) -> tuple[GroupState, bytes]:
    if group_id == old.context.group_id:
        raise MembershipError("the new group needs a name of its own")
    if not founding.packages:
        raise MembershipError("nobody is invited")
    bundle, now_ms = founding.bundle, founding.now_ms
    state = create_group(group_id, bundle, extensions=extensions, now_ms=now_ms, rng=rng)
    named = resumption_psk_id(state.suite, old.context.group_id, old.epoch, rng, usage)
    link = PreSharedKey(named)
    options = CommitOptions(
        now_ms=now_ms, psks=PskStore({}, (old,)), policy=founding.policy, link=link
    )
    pending = create_commit(
        state,
        [link, *map(Add, founding.packages)],
        signer=founding.signer,
        rng=rng,
        options=options,
    )
    state.advance(pending.staged, now_ms)
    return state, pending.welcome or b""


def check_succession(
    named: Iterable[PskId],
    context: GroupContext,
    tree: RatchetTree,
    groups: Iterable[GroupState],
    identify: Identify,
) -> None:
    """Check what a Welcome says about the group that it continues, if it says so.

    Spec: RFC 9420 §12.4.3.1 (Joining via Welcome Message).

    Args:
        named: The pre-shared keys of the Welcome; all of them are at hand.
        context: Of the new group.
        tree: Of the new group.
        groups: Our other groups.
        identify: Says who of the old group is who.

    Raises:
        InvalidWelcomeError: It is not the group that it claims to be.
    """
    links = [
        psk_id
        for psk_id in named
        if isinstance(psk_id, ResumptionPskId) and psk_id.usage is not ResumptionUsage.APPLICATION
    ]
    if len(links) > 1:
        raise InvalidWelcomeError("the group continues more than one")
    if not links:
        _check_unannounced(context, groups)
        return
    (link,) = links
    if context.epoch != 1:
        raise InvalidWelcomeError("a group that continues another one is not at its beginning")
    for old in groups:
        if old.resumption_psk(link.group_id, link.epoch) is not None:
            _check_link(link, old, context, tree, identify)
            return


def _check_unannounced(context: GroupContext, groups: Iterable[GroupState]) -> None:
    """Refuse a successor that does not prove to be one."""
    for old in groups:
        reinit = None if old.removed else old.current.reinit
        if reinit is not None and reinit.group_id == context.group_id:
            raise InvalidWelcomeError("the successor of a group is not tied to it")


def _check_link(
    link: ResumptionPskId,
    old: GroupState,
    context: GroupContext,
    tree: RatchetTree,
    identify: Identify,
) -> None:
    before, now = _people(old.tree, identify), _people(tree, identify)
    if link.usage is ResumptionUsage.REINIT:
        reinit = old.current.reinit
        if reinit is None or link.epoch != old.epoch:
            raise InvalidWelcomeError("the old group's last commit was no reinit")
        if _parameters(context) != reinit:
            raise InvalidWelcomeError("the new group is not what the reinit announced")
        if not before <= now:
            raise InvalidWelcomeError("a member of the old group is missing in the new one")
    else:
        if context.cipher_suite != old.suite.code:
            raise InvalidWelcomeError("a branch has another cipher suite than its group")
        if not now <= before:
            raise InvalidWelcomeError("somebody in the branch is not a member of the old group")


def _parameters(context: GroupContext) -> ReInit:
    return ReInit(context.group_id, MLS10, context.cipher_suite, context.extensions)
