"""How a group is stored: small rows, read when needed, refused when damaged."""

import pytest

from e2ecore.errors import CorruptStateError
from e2ecore.mls import rows
from e2ecore.mls.group import Group
from e2ecore.mls.proposals import Remove
from e2ecore.mls.rows import MemoryRows, Rows
from tests.support.mls_groups import NOW_MS, everybody, pass_on


def test_overlay_shows_the_newest_value_and_hands_it_over_once() -> None:
    disk = MemoryRows()
    disk.rows = {(rows.RATCHET, 1, 0): b"stored", (rows.RATCHET, 1, 1): b"gone soon"}
    overlay = Rows(disk)
    overlay.put((rows.RATCHET, 1, 0), b"new")
    overlay.put((rows.RATCHET, 1, 2), b"more")
    overlay.delete((rows.RATCHET, 1, 1))
    expected = [((rows.RATCHET, 1, 0), b"new"), ((rows.RATCHET, 1, 2), b"more")]
    assert overlay.scan(rows.RATCHET, 1) == expected
    assert overlay.get((rows.RATCHET, 1, 1)) is None
    disk.store(overlay.take_changes())
    assert overlay.take_changes() == {}
    assert disk.scan(rows.RATCHET, 1) == overlay.scan(rows.RATCHET, 1) == expected
    overlay.delete_epoch(1)
    disk.store(overlay.take_changes())
    assert disk.rows == {}


def test_group_in_memory_only_deletes_what_it_wrote() -> None:
    """A group that was never loaded knows its rows all the same."""
    devices = everybody("alice", "bob", "carol")
    alice, bob, carol = devices
    for number in range(6):
        bob.read(alice.send(b"%d" % number))
        pass_on(
            devices[number % 3].commit(),
            devices[number % 3],
            [device for device in devices if device is not devices[number % 3]],
        )
    pass_on(alice.commit(Remove(2)), alice, [bob, carol])
    assert carol.disk.rows == {}
    epochs = {epoch for _, epoch, _ in bob.disk.rows}
    assert epochs == {0, *range(bob.group.epoch - 3, bob.group.epoch + 1)}


def test_rows_do_not_pile_up() -> None:
    devices = everybody("alice", "bob")
    alice, bob = devices
    sizes = []
    for _ in range(12):
        bob.read(alice.send(b"x"))
        alice.read(bob.send(b"y"))
        pass_on(alice.commit(), alice, [bob])
        bob.reload()
        sizes.append((len(alice.disk.rows), len(bob.disk.rows)))
    assert len(set(sizes[5:])) == 1


def test_commit_writes_what_it_touched_and_no_more() -> None:
    devices = everybody(*(f"member {number}" for number in range(32)))
    pass_on(devices[0].commit(), devices[0], devices[1:])
    stored = len(devices[5].disk.rows)
    pending = devices[1].commit()
    staged = devices[5].stage(pending.commit)
    devices[5].group.merge(staged, now_ms=NOW_MS)
    changes = devices[5].group.take_changes()
    kinds = [kind for kind, _, _ in changes]
    assert kinds.count(rows.NODE) <= 6
    assert kinds.count(rows.NODE_KEY) <= 6
    assert len(changes) < 24 < stored


def test_loading_reads_three_rows() -> None:
    devices = everybody(*(f"member {number}" for number in range(16)))
    alice, reader = devices[0], devices[9]
    reader.read(alice.send(b"first"))
    asked = []

    class Counting:
        def get(self, key: rows.RowKey, /) -> bytes | None:
            asked.append(key)
            return reader.disk.get(key)

        def scan(self, kind: int, epoch: int, /) -> list[tuple[rows.RowKey, bytes]]:
            asked.append((kind, epoch, -1))
            return reader.disk.scan(kind, epoch)

    group = Group.load(Counting())
    assert len(asked) == 3
    group.receive(alice.send(b"second"), now_ms=None)
    assert len(asked) <= 6


@pytest.mark.parametrize("missing", [rows.GROUP, rows.EPOCH, rows.CONTEXT])
def test_missing_row_is_reported(missing: int) -> None:
    alice, _ = everybody("alice", "bob")
    alice.disk.rows = {key: row for key, row in alice.disk.rows.items() if key[0] != missing}
    with pytest.raises(CorruptStateError):
        Group.load(alice.disk)


@pytest.mark.parametrize("damaged", [rows.GROUP, rows.EPOCH, rows.CONTEXT])
def test_damaged_row_is_reported(damaged: int) -> None:
    alice, _ = everybody("alice", "bob")
    for key, row in list(alice.disk.rows.items()):
        if key[0] == damaged:
            alice.disk.rows[key] = row[:3]
    with pytest.raises(CorruptStateError):
        Group.load(alice.disk)


def test_rows_of_a_newer_version_are_reported() -> None:
    alice, _ = everybody("alice", "bob")
    alice.disk.rows[rows.GROUP, 0, 0] = b"\xff" + alice.disk.rows[rows.GROUP, 0, 0][1:]
    with pytest.raises(CorruptStateError):
        Group.load(alice.disk)
