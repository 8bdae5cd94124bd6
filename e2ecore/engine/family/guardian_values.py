"""What an app sees of guardians: bonds, requests, events, and what can go wrong."""

from dataclasses import dataclass
from enum import StrEnum

from e2ecore.engine.telling.events import Event
from e2ecore.errors import UsageError
from e2ecore.ids import AccountId
from e2ecore_protocol.chain.record import ConsentRecord


class GuardianError(UsageError):
    """This cannot be done with guardians. Nothing was changed. The sub-class says why."""


class BadMarkError(GuardianError):
    """An account is marked until a day in the future, at most 14 years from now."""


class NotMarkedError(GuardianError):
    """This account is not marked as that of somebody under 14: it needs no guardian."""


class NoGuardianError(GuardianError):
    """There is no guardian who could decide. Invite one, and wait until they have accepted."""


class HasGuardianError(GuardianError):
    """There is a guardian. Only when they have left, somebody else can be invited."""


class UnknownBondError(GuardianError):
    """There is no such invitation or bond, or it is over."""


class UnknownRequestError(GuardianError):
    """There is no such request, or it was decided already."""


class BondState(StrEnum):
    """How far a bond of ward and guardian is."""

    INVITED = "invited"
    """The ward has asked; the guardian has not answered."""
    AGREED = "agreed"
    """Both agree; the relay does not know yet."""
    HOLDS = "holds"
    OVER = "over"
    DECLINED = "declined"


class ApprovalState(StrEnum):
    """What became of a request to a guardian."""

    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    TAKEN_BACK = "taken_back"
    """It was approved, and is not any more: the consent is over."""
    VOID = "void"
    """There is nobody any more to decide, or it was decided too late. Ask again."""


@dataclass(frozen=True, slots=True)
class GuardianBond:
    """A ward and a guardian. One of the two is this account."""

    link_id: bytes
    account_id: AccountId
    """The other one."""
    is_ward: bool
    """This account is the ward; else it is the guardian."""
    state: BondState
    notice: str
    """The text that both are shown before they agree."""
    until_ms: int | None
    """When the ward is 14, in milliseconds since the Unix epoch; None: not known here."""
    ward_wants_end: bool
    guardian_wants_end: bool
    """When both do, the account counts as a child's no longer."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """Something that a ward wants to agree to, and the guardian is asked about."""

    consent_id: bytes
    account_id: AccountId
    """The other one: of whoever asks, the guardian; of the guardian, who asks."""
    is_ours: bool
    """This account asks; else it is asked."""
    record: ConsentRecord
    """All that it is about."""
    notice: str
    """The text that the ward was shown, for the guardian to read."""
    state: ApprovalState
    changed_ms: int


@dataclass(frozen=True, slots=True)
class MinorStatus:
    """That this account is one of somebody under 14."""

    until_ms: int
    """When that ends, in milliseconds since the Unix epoch."""
    by_operator: bool
    """The operator of the relay says so; else the person has said it."""
    guardian: GuardianBond | None
    """The bond that counts now, whether it is in force already or not."""


@dataclass(frozen=True, slots=True)
class MinorMarkChanged(Event):
    """This account counts as that of somebody under 14 from now on, or no longer (None)."""

    until_ms: int | None


@dataclass(frozen=True, slots=True)
class GuardianBondChanged(Event):
    """An invitation has come, or a bond has another state."""

    bond: GuardianBond


@dataclass(frozen=True, slots=True)
class ApprovalRequestChanged(Event):
    """A request has come, or was decided."""

    request: ApprovalRequest
