"""Is this commit, or this group, allowed? MLS says it is well-formed; here it meets our rules.

Two things are judged: every new or changed leaf against its account's chain, and what the commit
does against the roles that all members have agreed on.
"""

from collections.abc import Callable, Iterable

from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.running.state import group_of
from e2ecore.errors import PeerError
from e2ecore.messaging.identity import (
    DeviceDirectory,
    ForeignLeafError,
    LeafIdentity,
    check_leaf,
    decode_identity,
)
from e2ecore.messaging.roster import CommitNotAllowedError, Effect, check
from e2ecore.mls.extensions import Extension, ExtensionType
from e2ecore.mls.framing import Sender, SenderType
from e2ecore.mls.group import Group
from e2ecore.mls.members import Member
from e2ecore.mls.proposals import Add, GroupContextExtensions, Remove, Update
from e2ecore.mls.staged import StagedCommit
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.content.conversation import CONVERSATION_EXTENSION, ConversationInfo, InfoKind
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames.conversations import (
    direct_conversation_id,
    is_group_conversation,
    is_self_conversation,
)
from e2ecore_protocol.limits import MAX_CLOCK_DIFFERENCE_MS, MAX_DIRECT_ATTEMPT

_KNOWN_PROPOSALS = (Add, Remove, Update, GroupContextExtensions)
_TERMS = frozenset({ExtensionType.REQUIRED_CAPABILITIES, CONVERSATION_EXTENSION})
"""What the context of a group may contain: nobody proposes from outside, for one."""


class ChainsNeeded(Exception):  # noqa: N818 - a question, not an error
    """The judgement needs account chains that are not here."""

    def __init__(self, accounts: Iterable[bytes]) -> None:
        super().__init__()
        self.accounts = frozenset(accounts)


class BadConversationError(PeerError):
    """Somebody invited us to a conversation that breaks the rules. It was not joined."""


class ChainDirectory(DeviceDirectory):
    """An account chain as the leaf check wants to see it."""

    def __init__(self, chain: AccountState | None, now_ms: int) -> None:
        devices = () if chain is None else chain.valid_devices(now_ms)
        self._keys = {one.device_id: one.key for one in devices}

    def live_device_key(self, device_id: bytes, /) -> bytes | None:
        """Return the signature key of a device that may be talked to now, else None."""
        return self._keys.get(device_id)


def check_leaves(job: Job, leaves: Iterable[Member]) -> None:
    """Check leaves against their accounts' chains.

    Raises:
        ChainsNeeded: Some chains are unknown, or older than the device; each is asked for once.
        ForeignLeafError: A chain that was fetched just now does not vouch for a leaf.
    """
    needed: set[bytes] = set()
    own = job.own
    for leaf in leaves:
        who = decode_identity(leaf.identity)
        if who.device_id == own.device_id and leaf.signature_key == own.signer.public:
            continue
        chain = job.state.chain(job.tx, who.account_id)
        try:
            directory = ChainDirectory(chain, job.now_ms)
            check_leaf(leaf.identity, leaf.signature_key, directory)
        except ForeignLeafError:
            if job.state.was_asked(who.account_id, leaf.identity + leaf.signature_key):
                raise
            needed.add(who.account_id)
    if needed:
        raise ChainsNeeded(needed)


def _check_committer(job: Job, committer: Member, time_ms: int) -> None:
    who = decode_identity(committer.identity)
    chain = job.state.chain(job.tx, who.account_id)
    if chain is not None and not chain.was_valid(who.device_id, time_ms - MAX_CLOCK_DIFFERENCE_MS):
        raise ForeignLeafError("committed by a device that its account does not vouch for any more")


def judge_commit(job: Job, mirror: Mirror, staged: StagedCommit, time_ms: int) -> Effect:
    """Judge a commit that is valid by the rules of MLS.

    Args:
        job: The work under way.
        mirror: The conversation.
        staged: The commit.
        time_ms: When the relay took it.

    Returns:
        What it does.

    Raises:
        ChainsNeeded: Account chains must be fetched first.
        CommitNotAllowedError: Its sender has not the right.
        ForeignLeafError: An account does not vouch for a leaf.
    """
    if staged.external:
        raise CommitNotAllowedError("nobody lets themselves in")
    if not all(isinstance(one.proposal, _KNOWN_PROPOSALS) for one in staged.proposals):
        raise CommitNotAllowedError("a kind of proposal that conversations do not use")
    for old, new in staged.updated:
        if old.identity != new.identity:
            raise CommitNotAllowedError("a leaf changed hands")
    effect = effect_of(group_of(mirror), staged)
    check(mirror.roster(), effect)
    _check_committer(job, staged.committer, time_ms)
    changed = [new for old, new in staged.updated if old.signature_key != new.signature_key]
    check_leaves(job, (*staged.added, *changed))
    return effect


def effect_of(group: Group, staged: StagedCommit) -> Effect:
    """Return what a commit does, in the words of the rules."""
    own_will = {
        one.proposal.removed
        for one in staged.proposals
        if isinstance(one.proposal, Remove)
        and one.ref is not None
        and one.sender == Sender(SenderType.MEMBER, one.proposal.removed)
    }
    return Effect(
        committer=decode_identity(staged.committer.identity).account_id,
        added=_identities(staged.added),
        removed=_identities(one for one in staged.removed if one.leaf not in own_will),
        left=_identities(one for one in staged.removed if one.leaf in own_will),
        info=new_info(group.extensions, staged.new_extensions),
    )


def new_info(old: Iterable[Extension], new: Iterable[Extension] | None) -> ConversationInfo | None:
    """Return the new terms if a commit replaces the group's extensions.

    Raises:
        CommitNotAllowedError: Something else than the terms changes, or they cannot be read.
    """
    if new is None:
        return None
    before = {one.type: one.data for one in old}
    after = {one.type: one.data for one in new}
    data = after.pop(CONVERSATION_EXTENSION, None)
    before.pop(CONVERSATION_EXTENSION, None)
    if data is None or before != after:
        raise CommitNotAllowedError("only the terms of a conversation may change")
    return read_info(data)


def read_info(data: bytes) -> ConversationInfo:
    """Read the terms of a conversation.

    Raises:
        CommitNotAllowedError: They cannot be read.
    """
    try:
        return ConversationInfo.decode(data)
    except MalformedError as error:
        raise CommitNotAllowedError("terms that cannot be read") from error


def info_of(group: Group) -> ConversationInfo:
    """Return the terms of a group.

    Raises:
        BadConversationError: It has none.
    """
    for extension in group.extensions:
        if extension.type == CONVERSATION_EXTENSION:
            return read_info(extension.data)
    raise BadConversationError("a group without terms")


def check_direct(uid: bytes, accounts: Iterable[bytes]) -> None:
    """Check that a direct conversation is the one of its two accounts.

    Raises:
        BadConversationError: Not two accounts, or not their id.
    """
    found = sorted(set(accounts))
    if len(found) != 2:  # noqa: PLR2004
        raise BadConversationError("a direct conversation has two accounts")
    attempts = range(MAX_DIRECT_ATTEMPT + 1)
    if all(direct_conversation_id(found[0], found[1], attempt) != uid for attempt in attempts):
        raise BadConversationError("not the id of these two accounts")


def judge_group(
    job: Job, group: Group, extra: Callable[[ConversationInfo, set[bytes]], None]
) -> ConversationInfo:
    """Judge a group that we are invited to.

    Args:
        job: The work under way.
        group: As joined, not stored yet.
        extra: A further check of the terms and the member accounts.

    Raises:
        ChainsNeeded: Account chains must be fetched first.
        PeerError: The group breaks a rule.
    """
    if any(one.type not in _TERMS for one in group.extensions):
        raise BadConversationError("a group on terms that conversations do not have")
    info = info_of(group)
    members = list(group.members())
    accounts: set[bytes] = {decode_identity(one.identity).account_id for one in members}
    if info.kind is InfoKind.DIRECT:
        check_direct(group.group_id, accounts)
    elif info.kind is InfoKind.SELF:
        own = job.own.account_id
        if accounts != {own} or not is_self_conversation(group.group_id, own):
            raise BadConversationError("among own devices is nobody else")
    elif not is_group_conversation(group.group_id):
        raise BadConversationError("a group in the place of a direct conversation")
    extra(info, accounts)
    check_leaves(job, members)
    return info


def _identities(leaves: Iterable[Member]) -> tuple[LeafIdentity, ...]:
    return tuple(decode_identity(one.identity) for one in leaves)
