"""Marks, guardians and approvals of the relay in memory.

Spec: protocol/spec/85-guardians.md
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import ED25519
from e2ecore.testing.memory_log import RefusedError
from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC, ConsentGranted, DeviceAdded
from e2ecore_protocol.chain.entry import Entry, device_id_of
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.family_limits import GUARDIAN_DOCUMENT_MS, MAX_MINOR_MS
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.guardians import (
    ApprovalState,
    FetchGuardianship,
    Guardianship,
    MarkedBy,
    MarkMinor,
    MinorMark,
    SubmitGuardian,
    WardState,
)
from e2ecore_protocol.frames.session import Ok
from e2ecore_protocol.guardians import (
    EndingScope,
    GuardianApproval,
    GuardianDocument,
    GuardianEnding,
    GuardianLink,
    GuardianRetraction,
    check_link,
    decode_guardian_document,
    is_fresh,
)


@dataclass
class Approved:
    """An approval that is held."""

    approval: GuardianApproval
    by: bytes
    given_ms: int
    retraction: bytes | None = None


@dataclass
class Minor:
    """A marked account."""

    mark: MinorMark
    link: GuardianLink | None = None
    used: set[bytes] = field(default_factory=set)
    endings: dict[bytes, GuardianEnding] = field(default_factory=dict)
    approvals: dict[bytes, Approved] = field(default_factory=dict)


class MemoryGuardians:
    """Everything of guardians. ``chain_of`` returns an account's chain, or refuses."""

    def __init__(
        self, clock_ms: Callable[[], int], chain_of: Callable[[bytes], AccountState]
    ) -> None:
        self._clock_ms = clock_ms
        self._chain_of = chain_of
        self.minors: dict[bytes, Minor] = {}
        self.news: list[bytes] = []
        """Accounts whose devices are to be told that something has changed."""

    def mark(self, account_id: bytes, until_ms: int, by: MarkedBy = MarkedBy.PERSON) -> None:
        """Mark an account; the operator's word replaces an earlier mark."""
        if not self._clock_ms() < until_ms <= self._clock_ms() + MAX_MINOR_MS:
            raise RefusedError(ErrorCode.GUARDIAN_INVALID)
        minor = self._minor(account_id)
        if minor is None:
            self.minors[account_id] = Minor(MinorMark(until_ms, by))
        elif by is MarkedBy.OPERATOR or until_ms > minor.mark.until_ms:
            was = minor.mark.by if by is MarkedBy.PERSON else by
            minor.mark = MinorMark(until_ms, was)
        self.news.append(account_id)

    def unmark(self, account_id: bytes) -> None:
        """Take a mark away, as the operator can."""
        self.minors.pop(account_id, None)
        self.news.append(account_id)

    def answer(self, account_id: bytes, frame: Frame) -> Frame:
        """Answer one frame of this family."""
        match frame:
            case MarkMinor(request, until_ms):
                self.mark(account_id, until_ms)
                return Ok(request)
            case SubmitGuardian(request, document):
                try:
                    self._take(account_id, decode_guardian_document(document))
                except MalformedError as error:
                    raise RefusedError(ErrorCode.GUARDIAN_INVALID) from error
                except SignatureError as error:
                    raise RefusedError(ErrorCode.BAD_SIGNATURE) from error
                return Ok(request)
            case FetchGuardianship(request):
                return self._show(request, account_id)
            case _:
                raise RefusedError(ErrorCode.MALFORMED)

    def counted(self, state: AccountState) -> AccountState:
        """Return a chain with the consents that count here."""
        minor = self._minor(state.account_id)
        if minor is None:
            return state
        standing = {name for name, one in minor.approvals.items() if one.retraction is None}
        consents = {name: one for name, one in state.consents.items() if name in standing}
        return replace(state, consents=MappingProxyType(consents))

    def check_growth(self, after: AccountState, entries: Sequence[Entry]) -> None:
        """Refuse what a marked account may not add to its chain."""
        minor = self._minor(after.account_id)
        for entry in entries if minor else ():
            body = entry.parse_body()
            if isinstance(body, ConsentGranted) and not self._is_approved(minor, body):
                raise RefusedError(ErrorCode.GUARDIAN_REQUIRED, body.purpose)
            if isinstance(body, DeviceAdded):
                valid = self.counted(after).valid_devices(self._clock_ms())
                if device_id_of(body.device_key) not in {one.device_id for one in valid}:
                    raise RefusedError(ErrorCode.GUARDIAN_REQUIRED, MULTI_DEVICE_SYNC)

    def account_closed(self, account_id: bytes) -> None:
        """Forget a ward; end the links of a guardian."""
        self.minors.pop(account_id, None)
        for minor in self._wards(account_id).values():
            minor.link = None

    def _minor(self, account_id: bytes) -> Minor | None:
        minor = self.minors.get(account_id)
        if minor is not None and minor.mark.until_ms <= self._clock_ms():
            del self.minors[account_id]
            return None
        return minor

    def _wards(self, guardian: bytes) -> Mapping[bytes, Minor]:
        return {
            name: minor
            for name in sorted(self.minors)
            if (minor := self._minor(name)) and minor.link and minor.link.guardian == guardian
        }

    def _show(self, request: int, account_id: bytes) -> Guardianship:
        minor = self._minor(account_id)
        wards = [
            WardState(_encoded(one.link), one.mark.until_ms, _endings(one))
            for one in self._wards(account_id).values()
        ]
        if minor is None:
            return Guardianship(request, None, None, (), (), tuple(wards))
        approvals = [
            ApprovalState(one.approval.encode(), one.retraction) for one in minor.approvals.values()
        ]
        link = minor.link.encode() if minor.link else None
        return Guardianship(
            request, minor.mark, link, tuple(approvals), _endings(minor), tuple(wards)
        )

    def _is_approved(self, minor: Minor | None, granted: ConsentGranted) -> bool:
        found = minor.approvals.get(granted.consent_id) if minor else None
        if minor is None or found is None or minor.link is None or found.retraction:
            return False
        young = self._clock_ms() - found.given_ms <= GUARDIAN_DOCUMENT_MS
        same = found.approval.link_id == minor.link.link_id
        return young and same and found.approval.covers(granted)

    def _take(self, sender: bytes, document: GuardianDocument) -> None:
        match document:
            case GuardianLink():
                self._link(sender, document)
            case GuardianApproval():
                self._approve(sender, document)
            case GuardianRetraction():
                self._retract(sender, document)
            case GuardianEnding():
                self._end(sender, document)

    def _link(self, sender: bytes, link: GuardianLink) -> None:
        minor = self._minor(link.ward)
        _check(sender in {link.ward, link.guardian} and minor is not None)
        if minor is None or minor.link == link:
            return
        check_link(link, self._key(link.ward), self._key(link.guardian), ED25519.verify)
        _check(minor.link is None and link.link_id not in minor.used)
        _check(self._minor(link.guardian) is None and not self._chain_of(link.guardian).closed)
        _check(is_fresh(link.created_ms, self._clock_ms()))
        minor.link = link
        minor.used.add(link.link_id)
        minor.endings.clear()
        self.news += [link.ward, link.guardian]

    def _approve(self, sender: bytes, approval: GuardianApproval) -> None:
        minor = self._linked(approval.link_id, approval.ward)
        _check(minor.link is not None and minor.link.guardian == sender)
        ED25519.verify(self._key(sender), approval.signed_message(), approval.signature)
        known = minor.approvals.get(approval.consent_id)
        if known is not None:
            _check(known.approval == approval)
            return
        now_ms = self._clock_ms()
        _check(is_fresh(approval.approved_ms, now_ms))
        minor.approvals[approval.consent_id] = Approved(approval, sender, now_ms)
        self.news += [approval.ward, sender]

    def _retract(self, sender: bytes, retraction: GuardianRetraction) -> None:
        minor = self._minor(retraction.ward)
        known = minor.approvals.get(retraction.consent_id) if minor else None
        _check(known is not None and known.by == sender)
        if known is not None and known.retraction is None:
            _check(known.approval.link_id == retraction.link_id)
            ED25519.verify(self._key(sender), retraction.signed_message(), retraction.signature)
            known.retraction = retraction.encode()
            self.news += [retraction.ward, sender]

    def _end(self, sender: bytes, ending: GuardianEnding) -> None:
        _check(sender == ending.account_id)
        minor = self._linked(ending.link_id, sender)
        link = minor.link
        _check(link is not None and sender in {link.ward, link.guardian})
        if link is None:
            return
        ED25519.verify(self._key(sender), ending.signed_message(), ending.signature)
        minor.endings[sender] = ending
        scopes = {name: one.scope for name, one in minor.endings.items()}
        if scopes.get(link.ward) == scopes.get(link.guardian) == EndingScope.MARK:
            del self.minors[link.ward]
        elif scopes.get(link.guardian) == EndingScope.LINK:
            minor.link = None
        self.news += [link.ward, link.guardian]

    def _linked(self, link_id: bytes, account_id: bytes) -> Minor:
        """Return the ward of a link that holds, from either side."""
        for minor in (self._minor(account_id), *self._wards(account_id).values()):
            if minor is not None and minor.link is not None and minor.link.link_id == link_id:
                return minor
        raise RefusedError(ErrorCode.GUARDIAN_INVALID)

    def _key(self, account_id: bytes) -> bytes:
        return self._chain_of(account_id).identity_key


def _check(holds: bool) -> None:  # noqa: FBT001 - a condition
    if not holds:
        raise RefusedError(ErrorCode.GUARDIAN_INVALID)


def _encoded(link: GuardianLink | None) -> bytes:
    return link.encode() if link else b""


def _endings(minor: Minor) -> tuple[bytes, ...]:
    return tuple(one.encode() for one in minor.endings.values())
