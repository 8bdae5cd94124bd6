"""What the domain needs from storage for marks, decisions on them, links, approvals and endings."""

from collections.abc import Collection
from enum import IntEnum
from typing import NamedTuple, Protocol

from e2ecore_protocol.frames.guardians import MinorMark


class StoredLink(NamedTuple):
    """One link, whether it holds or has ended. ``ward`` and ``guardian`` are account numbers."""

    link_id: bytes
    ward: int
    guardian: int
    document: bytes
    ended: bool


class StoredApproval(NamedTuple):
    """One approval, standing or retracted."""

    consent_id: bytes
    guardian: int
    document: bytes
    retraction: bytes
    given_ms: int


class StoredEnding(NamedTuple):
    """What one of the two wants to end."""

    account: int
    scope: int
    document: bytes


class GuardianTable(Protocol):
    """Marks of accounts, and what hangs on them."""

    def mark(self, account: int) -> MinorMark | None:
        """Return an account's mark, over or not."""
        ...

    def set_mark(self, account: int, mark: MinorMark) -> None:
        """Mark an account, or change its mark."""
        ...

    def forget(self, accounts: Collection[int]) -> None:
        """Take marks away, with links, approvals and endings of these wards."""
        ...

    def over(self, now_ms: int, limit: int) -> list[int]:
        """Return accounts whose mark is over, at most so many."""
        ...

    def links_of(self, ward: int) -> list[StoredLink]:
        """Return all links of a ward, the one that holds and those that ended."""
        ...

    def link(self, link_id: bytes) -> StoredLink | None:
        """Return one link."""
        ...

    def wards_of(self, guardian: int) -> list[StoredLink]:
        """Return the links that hold of a guardian."""
        ...

    def add_link(self, link: StoredLink) -> None:
        """Store a link."""
        ...

    def end_links(self, links: Collection[bytes], now_ms: int) -> None:
        """Note that links have ended."""
        ...

    def approvals(self, ward: int) -> list[StoredApproval]:
        """Return what was approved for a ward, oldest first."""
        ...

    def approve(self, ward: int, approval: StoredApproval) -> None:
        """Store an approval."""
        ...

    def retract(self, ward: int, consent_id: bytes, retraction: bytes) -> None:
        """Note that an approval was taken back."""
        ...

    def drop_approvals(self, ward: int, consents: Collection[bytes]) -> None:
        """Forget approvals."""
        ...

    def endings(self, link_id: bytes) -> list[StoredEnding]:
        """Return what the two want to end."""
        ...

    def want_end(self, link_id: bytes, ending: StoredEnding) -> None:
        """Note what one of them wants to end, in place of what they wanted before."""
        ...


class MarkReason(IntEnum):
    """What a decision stands on."""

    PERSON = 1
    """The person's own word."""

    GUARDIAN = 2
    """The word of a parent or guardian."""

    AUTHORITY = 3
    """An order of an authority or a court."""

    FINDING = 4
    """What the operator has found out."""

    CORRECTION = 5
    """An earlier decision was wrong."""


class MinorRecord(NamedTuple):
    """What is kept of a decision."""

    order_id: bytes
    account_id: bytes
    is_marked: bool
    reason: MarkReason
    reference: str
    time_ms: int


class MinorOrderTable(Protocol):
    """Decisions that were carried out. Nothing is ever changed or deleted here."""

    def has(self, order_id: bytes) -> bool:
        """Tell whether an order was carried out."""
        ...

    def add(self, record: MinorRecord) -> None:
        """Keep one, for good."""
        ...

    def after(self, number: int, limit: int) -> list[tuple[int, MinorRecord]]:
        """Return records with higher numbers, in the order in which they were carried out."""
        ...
