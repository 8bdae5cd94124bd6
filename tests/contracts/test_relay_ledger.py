"""What every backend of the relay must do: one suite per port of ``e2ecore_relay.domain.ports``."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2ecore_protocol.frames import (
    ChainHead,
    ConversationState,
    DeviceAddress,
    EnvelopeKind,
    Gap,
)
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S
from e2ecore_relay.backends.sqlite.pages import SqlitePages
from e2ecore_relay.domain.feed import Entry, Span
from e2ecore_relay.domain.log import Hole, LogKind
from e2ecore_relay.domain.ports import Fresh, Ledger, NewEntry, PageReader, StoredDevice
from tests.support.relay_desk import START_MS, Desk, decode_items

NAME = b"conversation 16B"
FAR_MS = START_MS + MAX_ENVELOPE_LIFETIME_S * 1000


class Backend:
    """The embedded backend; a further one is another class with these members."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)

    @property
    def ledger(self) -> Ledger:
        return self.desk.ledger

    @property
    def pages(self) -> PageReader:
        return SqlitePages(self.desk.reader, self.desk.journal)

    def restart(self) -> None:
        self.desk.start()

    def settle(self) -> None:
        self.desk.settle()


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    backend = Backend(tmp_path)
    yield backend
    backend.desk.close()


def an_account(backend: Backend, handle: str | None = None) -> int:
    with backend.desk.turn() as (_, ledger, now_ms):
        return ledger.accounts.create(ChainHead(os.urandom(20), 0, bytes(32)), handle, now_ms)


def a_log(backend: Backend, *devices: StoredDevice) -> int:
    with backend.desk.turn() as (_, ledger, _now_ms):
        lid = ledger.logs.create(NAME, LogKind.GROUP, 1)
        ledger.logs.admit(lid, [device.device for device in devices], 0, ())
        return lid


def entries(first: int, last: int, sender: int = 0) -> list[Entry]:
    return [(seq, sender, b"item %d" % seq, 0, FAR_MS) for seq in range(first, last + 1)]


def append(backend: Backend, lid: int, *batch: Entry) -> None:
    with backend.desk.turn() as (_, ledger, _now_ms):
        ledger.logs.append([(lid, list(batch))], {})


def read(backend: Backend, device: int, span: Span, items: int = 100) -> list[tuple[int, bytes]]:
    (page,) = backend.pages.read(device, [span], items, 1 << 20)
    return [(entry[0], entry[2]) for entry in page.entries]


# --- AccountTable --------------------------------------------------------------------------------


def test_an_account_is_found_by_id_and_by_handle(backend: Backend) -> None:
    number = an_account(backend, "alice")
    stored = backend.ledger.accounts.by_handle("alice")
    assert stored is not None
    assert stored.account == number
    assert backend.ledger.accounts.find([stored.account_id, bytes(20)]) == {
        stored.account_id: stored
    }
    assert backend.ledger.accounts.by_handle("bob") is None
    assert backend.ledger.accounts.find([]) == {}


def test_a_chain_grows_and_is_read_in_parts(backend: Backend) -> None:
    number = an_account(backend, "alice")
    rows = [NewEntry(seq, bytes([seq]) * 32, b"entry %d" % seq) for seq in range(5)]
    with backend.desk.turn() as (_, ledger, _now_ms):
        ledger.accounts.extend(number, rows[:2], closed=False)
        ledger.accounts.extend(number, rows[2:], closed=True)
    assert backend.ledger.accounts.entries(number, 1, 2) == [b"entry 1", b"entry 2"]
    stored = backend.ledger.accounts.by_handle("alice")
    assert stored is not None
    assert (stored.head_seq, stored.head_hash, stored.closed) == (4, bytes([4]) * 32, True)


def test_devices_are_live_until_removed_and_no_number_comes_again(backend: Backend) -> None:
    number = an_account(backend)
    with backend.desk.turn() as (_, ledger, now_ms):
        first = ledger.accounts.add_device(number, b"1" * 16, b"k" * 32, now_ms)
        second = ledger.accounts.add_device(number, b"2" * 16, b"l" * 32, now_ms)
        ledger.accounts.remove_devices([second], now_ms)
        third = ledger.accounts.add_device(number, b"3" * 16, b"m" * 32, now_ms)
    live = backend.ledger.accounts.live_devices([number])
    assert [device.device for device in live] == [first, third]
    assert len({first, second, third}) == 3
    address = DeviceAddress(live[0].address.account_id, b"2" * 16)
    assert backend.ledger.accounts.devices([address])[address].live is False


# --- KeyPackageTable -----------------------------------------------------------------------------


def test_one_time_packages_leave_in_order_the_last_resort_stays(backend: Backend) -> None:
    device = backend.desk.device().device
    with backend.desk.turn() as (_, ledger, _now_ms):
        table = ledger.key_packages
        assert table.claim([device]) == {}
        table.set_last_resort(device, b"old", 1)
        table.set_last_resort(device, b"last", 1)
        table.publish(device, [b"1", b"2", b"3", b"4"], 3, 1)
        assert table.count([device, 999]) == {device: 3, 999: 0}
        claimed = [table.claim([device, 999])[device] for _ in range(5)]
    assert claimed == [b"2", b"3", b"4", b"last", b"last"]
    with backend.desk.turn() as (_, ledger, _now_ms):
        ledger.key_packages.discard([device])
        assert ledger.key_packages.claim([device]) == {}


def test_several_one_time_packages_are_taken_and_never_the_last_resort(backend: Backend) -> None:
    device, other = backend.desk.device().device, backend.desk.device().device
    with backend.desk.turn() as (_, ledger, _now_ms):
        table = ledger.key_packages
        table.set_last_resort(device, b"last", 1)
        table.publish(device, [b"1", b"2", b"3"], 9, 1)
        table.publish(other, [b"4"], 9, 1)
        assert [table.claim_one_time(device, 2) for _ in range(3)] == [[b"1", b"2"], [b"3"], []]
        assert table.count([device, other]) == {device: 0, other: 1}
        assert table.claim([device]) == {device: b"last"}


def test_packages_are_forgotten_by_age_and_stored_once(backend: Backend) -> None:
    device, other = backend.desk.device().device, backend.desk.device().device
    with backend.desk.turn() as (_, ledger, _now_ms):
        table = ledger.key_packages
        table.publish(device, [b"old"], 9, 10)
        table.publish(device, [b"new", b"new"], 9, 20)
        table.publish(device, [b"new"], 9, 30)
        table.set_last_resort(device, b"last", 10)
        table.publish(other, [b"old"], 9, 10)
        assert table.count([device, other]) == {device: 2, other: 1}
        table.forget([device], Fresh(20, 10))
        assert table.count([device, other]) == {device: 1, other: 1}
        assert [table.claim([device])[device] for _ in range(2)] == [b"new", b"last"]
        table.forget([device], Fresh(20, 11))
        assert table.claim([device]) == {}


# --- LogTable and PageReader ---------------------------------------------------------------------


def test_a_log_is_loaded_with_head_epoch_and_readers(backend: Backend) -> None:
    one, two = backend.desk.device(), backend.desk.device()
    lid = a_log(backend, one, two)
    append(backend, lid, *entries(1, 3))
    with backend.desk.turn() as (_, ledger, _now_ms):
        ledger.logs.set_epoch(lid, 7)
        ledger.logs.move_cursors([(lid, two.device, 2)])
        ledger.logs.dismiss(lid, [one.device], 3)
    for _ in range(2):
        (log,) = backend.ledger.logs.load([NAME, b"none"])
        assert (log.lid, log.head, log.epoch, log.floor, log.audience) == (
            lid,
            3,
            7,
            0,
            (two.device,),
        )
        assert [log.lid for log in backend.ledger.logs.load_numbers([lid])] == [lid]
        backend.settle()
        backend.restart()


def test_pages_hold_what_is_asked_for_before_and_after_settling(backend: Backend) -> None:
    one = backend.desk.device()
    lid = a_log(backend, one)
    append(backend, lid, *entries(1, 4))
    backend.settle()
    append(backend, lid, *entries(5, 9))
    span = Span(lid, NAME, 2, 8)
    got: list[int] = []
    for _ in range(3):
        got = []
        while span.after < span.upto:
            (page,) = backend.pages.read(one.device, [span], 3, 1 << 20)
            got += [entry[0] for entry in page.entries]
            span = span._replace(after=page.scanned)
        assert got == [3, 4, 5, 6, 7, 8]
        span = span._replace(after=2)
        backend.restart()
    backend.settle()
    assert [seq for seq, _ in read(backend, one.device, span)] == got


def test_a_page_ends_at_its_size_but_holds_at_least_one(backend: Backend) -> None:
    one = backend.desk.device()
    lid = a_log(backend, one)
    append(backend, lid, *[(seq, 0, bytes(1000), 0, FAR_MS) for seq in range(1, 6)])
    (page,) = backend.pages.read(one.device, [Span(lid, NAME, 0, 5)], 100, 1)
    assert (len(page.entries), page.scanned) == (1, 1)
    (page,) = backend.pages.read(one.device, [Span(lid, NAME, 0, 5)], 100, 2500)
    assert (len(page.entries), page.scanned) == (3, 3)


def test_only_readers_get_pages_and_only_their_part(backend: Backend) -> None:
    one, stranger, late = (backend.desk.device() for _ in range(3))
    lid = a_log(backend, one)
    append(backend, lid, *entries(1, 3))
    with backend.desk.turn() as (_, ledger, _now_ms):
        ledger.logs.admit(lid, [late.device], 3, ())
        ledger.logs.dismiss(lid, [one.device], 4)
    append(backend, lid, *entries(4, 6))
    span = Span(lid, NAME, 0, 6)
    for _ in range(2):
        assert read(backend, stranger.device, span) == []
        assert [seq for seq, _ in read(backend, one.device, span)] == [1, 2, 3, 4]
        assert [seq for seq, _ in read(backend, late.device, span)] == [4, 5, 6]
        backend.settle()


def test_a_hole_is_never_shown(backend: Backend) -> None:
    one = backend.desk.device()
    lid = a_log(backend, one)
    append(backend, lid, *entries(1, 9))
    with backend.desk.turn() as (_, ledger, _now_ms):
        ledger.logs.dismiss(lid, [one.device], 3)
        ledger.logs.admit(lid, [one.device], 6, [Hole(one.device, 4, 6)])
    for _ in range(2):
        got = read(backend, one.device, Span(lid, NAME, 0, 9))
        assert [seq for seq, _ in got] == [1, 2, 3, 7, 8, 9]
        assert read(backend, one.device, Span(lid, NAME, 3, 6)) == []
        backend.settle()


def test_what_lies_below_the_floor_is_deleted_and_the_head_stays(backend: Backend) -> None:
    one = backend.desk.device()
    lid = a_log(backend, one)
    append(backend, lid, *entries(1, 5))
    backend.settle()
    append(backend, lid, *entries(6, 8))
    with backend.desk.turn() as (_, ledger, _now_ms):
        ledger.logs.move_cursors([(lid, one.device, 8)])
        ledger.logs.forget([(lid, 8, 8)])
    backend.settle()
    backend.restart()
    (log,) = backend.ledger.logs.load([NAME])
    assert log.head == 8
    assert read(backend, one.device, Span(lid, NAME, 0, 8)) == []
    left = backend.desk.connection.execute("SELECT count(*) FROM envelopes").fetchone()
    assert left == (0,)


def test_first_answers_are_found_whatever_the_clock_of_the_sender(backend: Backend) -> None:
    device = backend.desk.device().device
    early, late = bytes(16), b"\xff" * 16
    lid = a_log(backend)
    for seq, answers in ((1, {late: (1, 11)}), (2, {early: (2, 22)})):
        with backend.desk.turn() as (_, ledger, _now_ms):
            ledger.logs.append([(lid, entries(seq, seq))], {device: answers})
        backend.settle()
    for _ in range(2):
        known = backend.ledger.logs.answers(device, [early, late, b"other id 16 byte"])
        assert known == {early: (2, 22), late: (1, 11)}
        assert backend.ledger.logs.answers(device + 1, [early, late]) == {}
        backend.restart()


def test_old_answers_are_forgotten(backend: Backend) -> None:
    device = backend.desk.device().device
    lid = a_log(backend)
    for number in range(3):
        with backend.desk.turn() as (_, ledger, _now_ms):
            answer = {bytes([number]) * 16: (number + 1, number * 100)}
            ledger.logs.append([(lid, entries(number + 1, number + 1))], {device: answer})
        backend.settle()
    with backend.desk.turn() as (_, ledger, now_ms):
        assert ledger.logs.expire(now_ms, 150, 100)[1] == 2
    left = backend.ledger.logs.answers(device, [bytes([n]) * 16 for n in range(3)])
    assert left == {bytes([2]) * 16: (3, 200)}


def test_expired_envelopes_become_one_gap_and_then_nothing(backend: Backend) -> None:
    one = backend.desk.device()
    lid = a_log(backend, one)
    short = [(seq, 0, b"x", 0, START_MS + 5_000) for seq in (2, 3, 5)]
    append(backend, lid, *entries(1, 1), *short[:2], *entries(4, 4), short[2], *entries(6, 6))
    backend.settle()
    with backend.desk.turn() as (_, ledger, _now_ms):
        assert ledger.logs.expire(START_MS + 5_000, 0, 100)[0] == 3
    got = dict(read(backend, one.device, Span(lid, NAME, 0, 6)))
    assert list(got) == [1, 3, 4, 5, 6]
    gaps = decode_items([got[3], got[5]])
    assert [(gap.kind, gap.extra) for gap in gaps] == [
        (EnvelopeKind.GAP, Gap(2, 3)),
        (EnvelopeKind.GAP, Gap(5, 5)),
    ]
    with backend.desk.turn() as (_, ledger, _now_ms):
        assert ledger.logs.expire(FAR_MS, 0, 100)[0] == 3
    got = dict(read(backend, one.device, Span(lid, NAME, 1, 6)))
    assert all(gap.kind == EnvelopeKind.GAP for gap in decode_items(got.values()))
    with backend.desk.turn() as (_, ledger, _now_ms):
        ledger.logs.forget([(lid, 6, 6)])
    assert read(backend, one.device, Span(lid, NAME, 0, 6)) == []


def test_a_shared_payload_is_stored_once_and_filled_in_for_each_reader(backend: Backend) -> None:
    devices = [backend.desk.device() for _ in range(3)]
    payload = os.urandom(100_000)
    with backend.desk.turn() as (exchange, ledger, now_ms):
        readers = [(device.device, device.account) for device in devices]
        wire = (EnvelopeKind.WELCOME.value, 1, bytes(16), payload, NAME)
        exchange.post(ledger, readers, wire, now_ms)
    for _ in range(2):
        for device in devices:
            (welcome,) = backend.desk.read(device)
            assert (welcome.payload, welcome.extra) == (payload, NAME)
        backend.settle()
    size = backend.desk.connection.execute("SELECT count(*) FROM shared_payloads").fetchone()
    assert size == (1,)
    for device in devices:
        (unread,) = backend.desk.unread(device)
        backend.desk.acknowledge(device, {unread.lid: 1})
    assert backend.desk.connection.execute("SELECT * FROM shared_payloads").fetchall() == []


@pytest.mark.parametrize("restarts", [False, True])
def test_a_shared_payload_stays_until_the_last_reader_has_it(
    backend: Backend,
    restarts: bool,  # noqa: FBT001
) -> None:
    devices = [backend.desk.device() for _ in range(3)]
    with backend.desk.turn() as (exchange, ledger, now_ms):
        readers = [(device.device, device.account) for device in devices]
        wire = (EnvelopeKind.WELCOME.value, 1, bytes(16), bytes(100_000), NAME)
        exchange.post(ledger, readers, wire, now_ms)
    for device in devices:
        (welcome,) = backend.desk.read(device)
        assert len(welcome.payload) == 100_000
        (unread,) = backend.desk.unread(device)
        backend.desk.acknowledge(device, {unread.lid: 1})
        backend.desk.pass_time(0.9)
        with backend.desk.turn():
            pass
        if restarts:
            backend.restart()
    assert backend.desk.connection.execute("SELECT * FROM shared_payloads").fetchall() == []


def test_conversations_and_their_number_are_told_per_device(backend: Backend) -> None:
    one, two = backend.desk.device(), backend.desk.device()
    lid = a_log(backend, one)
    append(backend, lid, *entries(1, 2))
    state = ConversationState(NAME, LogKind.GROUP, 1, 2, 0)
    assert backend.ledger.logs.conversations(one.device) == [state]
    assert backend.ledger.logs.conversations(two.device) == []
    assert backend.ledger.logs.count_conversations([one.device, two.device]) == {one.device: 1}
    assert backend.ledger.logs.routes_of(one.device) == [lid]
    with backend.desk.turn() as (_, ledger, _now_ms):
        ledger.logs.drop_readers([(lid, one.device)])
    assert backend.ledger.logs.routes_of(one.device) == []
