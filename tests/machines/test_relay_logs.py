"""Logs, routes, cursors, epochs and repeats of the relay against a model of a few lines."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import ConversationKind, Refused
from e2ecore_relay.domain.errors import RefusedError
from tests.support.relay_desk import Desk

DEVICES = 4
NAME = bytes(16)

pytestmark = pytest.mark.slow


class _PowerCutError(Exception):
    pass


@dataclass
class ModelReader:
    """What one device must still get, and whether it is a member."""

    member: bool = False
    owed: list[int] = field(default_factory=list)


class RelayLogs(RuleBasedStateMachine):
    """One group of four devices."""

    sent = Bundle("sent")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self.folder.name))
        self.devices = [self.desk.device() for _ in range(DEVICES)]
        self.desk.commit(self.devices[0], NAME, 0, create=ConversationKind.GROUP)
        self.readers = [ModelReader() for _ in range(DEVICES)]
        self.readers[0].member = True
        self.epoch = 1
        self.head = 1
        self.payloads: dict[int, bytes] = {1: b"commit"}
        self.lid = self.desk.exchange.log(self.desk.ledger, NAME).lid  # type: ignore[union-attr]

    def teardown(self) -> None:
        self.desk.close()
        self.folder.cleanup()

    def _append(self, sender: int, payload: bytes) -> None:
        self.head += 1
        self.payloads[self.head] = payload
        for number, reader in enumerate(self.readers):
            if reader.member and number != sender:
                reader.owed.append(self.head)

    @rule(
        target=sent,
        sender=st.integers(0, DEVICES - 1),
        lag=st.integers(-1, 4),
        payload=st.binary(min_size=1, max_size=40),
    )
    def submit(self, sender: int, lag: int, payload: bytes) -> tuple[int, bytes, object]:
        epoch = max(self.epoch - lag, 0)
        envelope = self.desk.envelope(NAME, payload, epoch=epoch)
        (answer,) = self.desk.submit(self.devices[sender], envelope)
        if not self.readers[sender].member:
            assert answer == Refused(ErrorCode.NOT_A_MEMBER, 0, None)
        elif epoch > self.epoch:
            assert answer == Refused(ErrorCode.FUTURE_EPOCH, 0, self.epoch)
        elif epoch < self.epoch - 2:
            assert answer == Refused(ErrorCode.STALE_EPOCH, 0, self.epoch)
        else:
            self._append(sender, payload)
            assert answer == (self.head, self.desk.now_ms)
        return sender, envelope.envelope_id, answer

    @rule(known=sent)
    def repeat(self, known: tuple[int, bytes, object]) -> None:
        sender, envelope_id, answer = known
        if isinstance(answer, Refused):
            return
        envelope = self.desk.envelope(NAME, b"other", envelope_id=envelope_id, epoch=self.epoch)
        assert self.desk.submit(self.devices[sender], envelope) == [answer]

    @rule(sender=st.integers(0, DEVICES - 1), other=st.integers(0, DEVICES - 1), lag=st.booleans())
    def commit(self, sender: int, other: int, lag: bool) -> None:  # noqa: FBT001
        epoch = self.epoch - int(lag)
        target = self.readers[other]
        added = [] if target.member or other == sender else [self.devices[other]]
        removed = [self.devices[other]] if target.member and other != sender else []
        if lag or not self.readers[sender].member:
            with pytest.raises(RefusedError) as refused:
                self.desk.commit(self.devices[sender], NAME, epoch, added=added, removed=removed)
            member = self.readers[sender].member
            assert refused.value.code == (
                ErrorCode.STALE_EPOCH if member else ErrorCode.NOT_A_MEMBER
            )
            return
        done = self.desk.commit(self.devices[sender], NAME, epoch, added=added, removed=removed)
        self._append(sender, b"commit")
        assert done.seq == self.head
        self.epoch += 1
        target.member = (target.member and not removed) or bool(added)

    @rule(reader=st.integers(0, DEVICES - 1), count=st.integers(1, 5))
    def acknowledge(self, reader: int, count: int) -> None:
        owed = self.readers[reader].owed
        if owed:
            upto = owed[min(count, len(owed)) - 1]
            self.desk.acknowledge(self.devices[reader], {self.lid: upto})
            self.readers[reader].owed = [seq for seq in owed if seq > upto]

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.desk.pass_time(seconds)
        with self.desk.turn():
            pass

    @rule()
    def restart(self) -> None:
        self.desk.start()

    @rule(sender=st.integers(0, DEVICES - 1))
    def fail(self, sender: int) -> None:
        """A transaction that fails leaves nothing."""
        with pytest.raises(_PowerCutError):
            self._submit_and_die(self.devices[sender].device)

    def _submit_and_die(self, sender: int) -> None:
        with self.desk.turn() as (exchange, ledger, now_ms):
            envelope = self.desk.envelope(NAME, epoch=self.epoch)
            exchange.submit(ledger, sender, [envelope], now_ms)
            exchange.write(ledger)
            raise _PowerCutError

    @invariant()
    def everybody_gets_exactly_what_is_owed(self) -> None:
        for number, reader in enumerate(self.readers):
            got = [one for one in self.desk.read(self.devices[number]) if one.log_id == NAME]
            assert [one.seq for one in got] == reader.owed, number
            assert [one.payload for one in got] == [self.payloads[seq] for seq in reader.owed]

    @invariant()
    def what_everybody_read_is_gone(self) -> None:
        if any(reader.owed for reader in self.readers):
            return
        self.desk.settle()
        rows = self.desk.connection.execute(
            "SELECT count(*) FROM envelopes WHERE lid = ? AND seq <= ?",
            (self.lid, min(self._cursors())),
        ).fetchone()
        assert rows == (0,)

    def _cursors(self) -> list[int]:
        rows = self.desk.connection.execute(
            "SELECT cursor FROM routes WHERE lid = ?", (self.lid,)
        ).fetchall()
        return [int(str(row[0])) for row in rows] or [self.head]


TestRelayLogs = RelayLogs.TestCase
TestRelayLogs.settings = settings(stateful_step_count=30, deadline=None)
