"""The order of envelopes: what is appended to which log, for whom, and what may be forgotten.

An exchange lives as long as its store and mirrors the logs in use, so that an envelope costs no
reading. It is used within a transaction: ``begin``, then any number of requests, then ``flush``
before the commit. If the transaction fails, ``forget`` throws the mirror away and the stored rows
speak again.

Acknowledgements change nothing that must survive a crash (a lost one means that an envelope is sent
again), so they are noted in memory and stored in bulk, before anything that depends on them.

Spec: protocol/spec/30-ordering.md
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from e2ecore_protocol.codec import Wire, pack
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.delivery import (
    INBOX,
    Envelope,
    EnvelopeKind,
    Refused,
)
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S, PAST_EPOCHS_ACCEPTED, VACANCY_S
from e2ecore_relay.domain.feed import Entry, Unread
from e2ecore_relay.domain.log import Log, LogKind, Reader, inbox_name
from e2ecore_relay.domain.ports import Ledger

MAX_LIFETIME_MS: Final = MAX_ENVELOPE_LIFETIME_S * 1000
"""How long commits, Welcomes and notices wait for their readers."""

_MAX_MIRRORED: Final = 20_000
"""Logs kept in memory. About 1 KiB each for two readers, 200 B more for every further one."""

_MAX_PUSHED_BYTES: Final = 64 * 1024
"""Larger shared payloads are read from the store by each reader, not held in memory for all."""

_NOBODY: Final[list[Entry]] = []
"""Stands for the entries of a log that does not exist; nothing is ever put in."""

_NO_ROUTE: Final = Refused(ErrorCode.NOT_A_MEMBER, 0, None)
_NO_LOG: Final = Refused(ErrorCode.UNKNOWN_CONVERSATION, 0, None)
_COMMIT_ELSEWHERE: Final = Refused(ErrorCode.MALFORMED, 0, None)
_PAST_EPOCHS: Final = {
    EnvelopeKind.APPLICATION.value: PAST_EPOCHS_ACCEPTED,
    EnvelopeKind.PROPOSAL.value: 0,
    EnvelopeKind.READD_REQUEST.value: 1 << 62,
}
"""How many epochs an envelope may be late, by kind."""
_APPLICATION: Final = EnvelopeKind.APPLICATION.value
_READD: Final = EnvelopeKind.READD_REQUEST.value
_VACANCY_RETRY_MS: Final = 500
_MAX_OUTSIDE_BYTES: Final = 512
"""Largest re-add request of a device outside of the route: twice what one needs."""


class Push(NamedTuple):
    """Envelopes of one log, for those of its audience who are connected."""

    lid: int
    log_id: bytes
    audience: tuple[int, ...]
    entries: list[Entry]


Answer: TypeAlias = tuple[int, int] | Refused
"""What a sender is told: seq and time of acceptance (``Accepted`` on the wire), or why not."""


class Exchange:
    """The mirror of the logs in use, and the open batch."""

    def __init__(self) -> None:
        """Mirror nothing yet."""
        self._by_name: dict[bytes, Log] = {}
        self._by_lid: dict[int, Log] = {}
        self._progress: dict[tuple[int, int], int] = {}
        self._storing: dict[tuple[int, int], int] = {}
        self._answers: dict[int, dict[bytes, tuple[int, int]]] = {}
        self._pushes: list[Push] = []
        self._written = 0
        self._last_push: dict[int, Push] = {}

    # --- the transaction ----------------------------------------------------------------------

    def prepare(self, ledger: Ledger, batches: Iterable[Sequence[Envelope]]) -> None:
        """Load the logs that a number of submits will need, in one go."""
        names = {envelope[0] for envelopes in batches for envelope in envelopes}
        self.load(ledger, names)

    def write(self, ledger: Ledger) -> None:
        """Write what was appended since the last call. What follows can be undone on its own."""
        new = [push for push in self._pushes[self._written :] if push.entries]
        if new:
            batches = [(push.lid, push.entries) for push in new]
            ledger.logs.append(batches, self._answers)
        self._answers = {}
        self._written = len(self._pushes)
        self._last_push.clear()

    def committed(self) -> list[Push]:
        """End the batch: it is durable. Return what the connected devices should get."""
        pushes = [push for push in self._pushes if push.entries]
        self._pushes = []
        self._written = 0
        self._storing.clear()
        if len(self._by_lid) > _MAX_MIRRORED:
            self._by_name.clear()
            self._by_lid.clear()
        return pushes

    def undo(self) -> None:
        """Forget what came after the last ``write``, and the mirror: a request was rolled back."""
        del self._pushes[self._written :]
        self._forget_mirror()

    def forget(self) -> None:
        """Throw away the mirror and the open batch: the transaction failed.

        Noted acknowledgements stay: they were given, and can still be stored.
        """
        self._pushes = []
        self._written = 0
        self._progress = self._storing | self._progress
        self._storing = {}
        self._forget_mirror()

    def _forget_mirror(self) -> None:
        self._by_name.clear()
        self._by_lid.clear()
        self._last_push.clear()
        self._answers = {}

    # --- logs ---------------------------------------------------------------------------------

    def load(self, ledger: Ledger, names: Collection[bytes]) -> None:
        """Mirror the logs of these names, as far as they exist."""
        missing = [name for name in names if name not in self._by_name]
        if missing:
            self._keep(ledger.logs.load(missing))

    def numbered(self, ledger: Ledger, lids: Collection[int]) -> list[Log]:
        """Return the logs with these numbers, as far as they exist; they are mirrored then."""
        missing = {lid for lid in lids if lid not in self._by_lid}
        if missing:
            self._keep(ledger.logs.load_numbers(missing))
        return [self._by_lid[lid] for lid in lids if lid in self._by_lid]

    def log(self, ledger: Ledger, name: bytes) -> Log | None:
        """Return one log by name."""
        if name not in self._by_name:
            self.load(ledger, (name,))
        return self._by_name.get(name)

    def audience(self, name: bytes) -> tuple[int, ...] | None:
        """Return the members of a log that is mirrored now. Any thread may ask, at any time.

        They may be those of a change that is not durable yet: enough for what promises nothing.
        """
        log = self._by_name.get(name)
        return None if log is None else log.audience

    def create(self, ledger: Ledger, name: bytes, kind: LogKind, readers: dict[int, Reader]) -> Log:
        """Make an empty log."""
        lid = ledger.logs.create(name, kind, 0)
        log = Log(lid, name, kind, epoch=0, head=0, readers=readers)
        ledger.logs.admit(lid, list(readers), 0, ())
        self._keep([log])
        return log

    def inbox(self, ledger: Ledger, device: int, account: int) -> Log:
        """Return the inbox log of a device; make it if it has none."""
        name = inbox_name(device)
        found = self.log(ledger, name)
        return found or self.create(ledger, name, LogKind.INBOX, {device: Reader(account, 0)})

    def _keep(self, logs: Iterable[Log]) -> None:
        for log in logs:
            self._by_name[log.name] = log
            self._by_lid[log.lid] = log

    # --- envelopes ----------------------------------------------------------------------------

    def submit(
        self, ledger: Ledger, device: int, envelopes: Sequence[Envelope], now_ms: int
    ) -> list[Answer]:
        """Append application messages, proposals and re-add requests.

        Args:
            ledger: The open transaction.
            device: Who sends.
            envelopes: In order; one may be refused and the next accepted.
            now_ms: The relay's clock: the time of acceptance.
        """
        given = self._answers.setdefault(device, {})
        known = ledger.logs.answers(device, [envelope[1] for envelope in envelopes])
        results: list[Answer] = []
        log, entries = None, _NOBODY
        for conversation, envelope_id, kind, epoch, lifetime_s, payload in envelopes:
            answer = known.get(envelope_id) or given.get(envelope_id)
            if answer is not None:
                results.append(answer)
                continue
            if log is None or log.name != conversation:
                log = self._by_name.get(conversation) or self.log(ledger, conversation)
                entries = _NOBODY if log is None else self._push(log).entries
            refusal = self._objection(log, device, kind, epoch, now_ms)
            if refusal is _NO_ROUTE and kind == _READD and log is not None:
                refusal = _from_outside(log, payload)
            if refusal is not None or log is None:
                results.append(refusal or _NO_LOG)
                continue
            log.head = seq = log.head + 1
            item: Wire = (conversation, seq, kind, epoch, envelope_id, now_ms, payload, None)
            reader = device if kind != _READD else 0
            entries.append((seq, reader, pack(item), 0, now_ms + lifetime_s * 1000))
            given[envelope_id] = accepted = (seq, now_ms)
            results.append(accepted)
        return results

    def _objection(
        self, log: Log | None, device: int, kind: int, epoch: int, now_ms: int
    ) -> Refused | None:
        if log is None or not log.kind:
            return _NO_LOG
        reader = log.readers.get(device)
        if reader is None or reader.until:
            return _NO_ROUTE
        late = _PAST_EPOCHS.get(kind)
        if late is None:
            return _COMMIT_ELSEWHERE
        if log.epoch - late <= epoch <= log.epoch:
            return _vacancy(log, now_ms) if log.vacant_ms and kind == _APPLICATION else None
        code = ErrorCode.FUTURE_EPOCH if epoch > log.epoch else ErrorCode.STALE_EPOCH
        return Refused(code, 0, log.epoch)

    def append_commit(
        self, log: Log, device: int, envelope_id: bytes, item_tail: tuple[Wire, ...], now_ms: int
    ) -> int:
        """Append a commit, whose rules were checked, to the log of its conversation.

        Args:
            log: The log, with the audience that the commit is for.
            device: Who sends.
            envelope_id: Chosen by the sender.
            item_tail: Payload and extra (added, removed, sender) of the delivery item.
            now_ms: The relay's clock.

        Returns:
            Its place in the log.
        """
        head = (log.name, log.head + 1, EnvelopeKind.COMMIT.value, log.epoch, envelope_id, now_ms)
        seq = self._append(log, device, pack((*head, *item_tail)), now_ms + MAX_LIFETIME_MS)
        self._answers.setdefault(device, {})[envelope_id] = (seq, now_ms)
        return seq

    def first_answer(
        self, ledger: Ledger, device: int, envelope_id: bytes
    ) -> tuple[int, int] | None:
        """Return seq and time that this envelope got before, if it was accepted before."""
        given = self._answers.get(device, {}).get(envelope_id)
        return given or ledger.logs.answers(device, [envelope_id]).get(envelope_id)

    def post(
        self,
        ledger: Ledger,
        readers: Collection[tuple[int, int]],
        wire: tuple[int, int, bytes, bytes, Wire],
        now_ms: int,
    ) -> None:
        """Put one envelope into the inboxes of some devices.

        Args:
            ledger: The open transaction.
            readers: Pairs of device and account number.
            wire: Kind, epoch, envelope id, payload and extra of the delivery item.
            now_ms: The relay's clock.
        """
        kind, epoch, envelope_id, payload, extra = wire
        self.load(ledger, [inbox_name(device) for device, _ in readers])
        large = len(payload) > _MAX_PUSHED_BYTES
        shared = ledger.logs.share(payload, len(readers)) if large else 0
        body = b"" if large else payload
        for device, account in readers:
            log = self.inbox(ledger, device, account)
            item: Wire = (INBOX, log.head + 1, kind, epoch, envelope_id, now_ms, body, extra)
            self._append(log, 0, pack(item), now_ms + MAX_LIFETIME_MS, shared)

    def _append(self, log: Log, sender: int, item: bytes, expires_ms: int, shared: int = 0) -> int:
        log.head = seq = log.head + 1
        self._push(log).entries.append((seq, sender, item, shared, expires_ms))
        return seq

    def _push(self, log: Log) -> Push:
        """Return the push of the open batch for a log as its audience is now."""
        push = self._last_push.get(log.lid)
        if push is None or push.audience is not log.audience:
            log_id = log.name if log.kind else INBOX
            push = Push(log.lid, log_id, log.audience, [])
            self._last_push[log.lid] = push
            self._pushes.append(push)
        return push

    # --- reading ------------------------------------------------------------------------------

    def note_progress(self, device: int, cursors: Mapping[int, int]) -> None:
        """Note acknowledgements of one device: cursors by log number."""
        progress = self._progress
        for lid, cursor in cursors.items():
            if progress.get((lid, device), 0) < cursor:
                progress[lid, device] = cursor

    @property
    def noted(self) -> int:
        """Number of cursors that wait to be stored."""
        return len(self._progress)

    def store_progress(self, ledger: Ledger) -> None:
        """Store all noted acknowledgements, and delete what everybody has read."""
        if not self._progress:
            return
        self.numbered(ledger, [lid for lid, _ in self._progress])
        moved: list[tuple[int, int, int]] = []
        risen: dict[int, Log] = {}
        done: list[tuple[int, int]] = []
        for (lid, device), cursor in self._progress.items():
            log = self._by_lid.get(lid)
            reader = log.readers.get(device) if log else None
            if log is None or reader is None:
                continue
            if log.move(device, cursor):
                risen[lid] = log
            moved.append((lid, device, reader.cursor))
            if reader.until and reader.cursor >= reader.until:
                done.append((lid, device))
        ledger.logs.move_cursors(moved)
        self.drop(ledger, done)
        ledger.logs.forget([(lid, log.floor, log.head) for lid, log in risen.items()])
        self._storing |= self._progress
        self._progress = {}

    def drop(self, ledger: Ledger, readers: Collection[tuple[int, int]]) -> None:
        """Forget readers, given as pairs of log and device; delete what nobody waits for."""
        if not readers:
            return
        self.numbered(ledger, [lid for lid, _ in readers])
        ledger.logs.drop_readers(readers)
        risen = {}
        for lid, device in readers:
            log = self._by_lid.get(lid)
            if log is not None and device in log.readers and log.drop(device):
                risen[lid] = log
        ledger.logs.forget([(lid, log.floor, log.head) for lid, log in risen.items()])

    def waiting(self, ledger: Ledger, device: int) -> tuple[int, int]:
        """Return how many places of logs a device has not read, and its conversations."""
        self.store_progress(ledger)
        lids = ledger.logs.routes_of(device)
        self._keep(ledger.logs.load_numbers({lid for lid in lids if lid not in self._by_lid}))
        logs = [self._by_lid[lid] for lid in lids]
        unread = sum([log.limit(device) - log.readers[device].cursor for log in logs])
        return unread, sum([log.kind != LogKind.INBOX for log in logs])

    def connect(self, ledger: Ledger, device: int) -> list[Unread]:
        """Return what waits for a device, inbox first; its noted acknowledgements count."""
        self.store_progress(ledger)
        return ledger.logs.unread(device)


def _vacancy(log: Log, now_ms: int) -> Refused | None:
    """Judge what a device that has taken another one's place could not open, [ORD-51]."""
    if log.kind == LogKind.DIRECT:
        return Refused(ErrorCode.STALE_EPOCH, 0, log.epoch)
    if now_ms < log.vacant_ms + VACANCY_S * 1_000:
        return Refused(ErrorCode.RATE_LIMITED, _VACANCY_RETRY_MS, None)
    return None


def _from_outside(log: Log, payload: bytes) -> Refused | None:
    """Judge a re-add request of a device that has lost its route. Members check who signed it."""
    if log.kind != LogKind.GROUP or len(payload) > _MAX_OUTSIDE_BYTES:
        return _NO_ROUTE
    return None


class Turn(NamedTuple):
    """One request's turn in the open transaction.

    Attributes:
        exchange: The logs.
        ledger: Everything else that is stored.
        now_ms: The relay's clock, the same for the whole transaction.
    """

    exchange: Exchange
    ledger: Ledger
    now_ms: int
