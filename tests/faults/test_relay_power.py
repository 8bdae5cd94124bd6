"""The relay's transactions and the power, the disk, the key, and a second relay."""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from e2ecore_protocol.frames import Committed, ConversationKind, Envelope, group_conversation_id
from e2ecore_relay.backends.sqlite.connection import (
    Connection,
    Cursor,
    ForeignDatabaseError,
    SqlValue,
    StoreFullError,
    WrongKeyError,
)
from e2ecore_relay.backends.sqlite.database import (
    DirectoryInUseError,
    KeyMissingError,
    open_database,
)
from e2ecore_relay.domain.ports import StoredDevice
from tests.support.relay_desk import Desk


class PowerCutError(BaseException):
    """Nothing runs any more."""


class Frail(Connection):
    """A connection whose power fails at the n-th statement, before or after it took effect."""

    def __init__(self, inner: Connection) -> None:
        self._inner = inner
        self.left = 1 << 30
        self.after = False

    def execute(self, sql: str, parameters: Sequence[SqlValue] = ()) -> Cursor:
        self._spend()
        result = self._inner.execute(sql, parameters)
        if self.left == 0 and self.after:
            raise PowerCutError
        return result

    def executemany(self, sql: str, parameters: Iterable[Sequence[SqlValue]]) -> None:
        self._spend()
        self._inner.executemany(sql, parameters)

    def close(self) -> None:
        self._inner.close()

    def _spend(self) -> None:
        if self.left <= 0:
            raise PowerCutError
        self.left -= 1
        if self.left == 0 and not self.after:
            raise PowerCutError


class Scene(NamedTuple):
    """A group of two, and a third device."""

    desk: Desk
    frail: Frail
    alice: StoredDevice
    bob: StoredDevice
    carol: StoredDevice
    group: bytes


def make_scene(folder: Path) -> Scene:
    desk = Desk(folder)
    alice, bob, carol = desk.device(), desk.device(), desk.device()
    group = group_conversation_id(os.urandom(16))
    desk.commit(alice, group, 0, create=ConversationKind.GROUP, added=[bob])
    desk.submit(alice, desk.envelope(group, b"earlier"))
    frail = Frail(desk.connection)
    desk.connection = frail
    desk.start()
    return Scene(desk, frail, alice, bob, carol, group)


def reopened(folder: Path, scene: Scene) -> Desk:
    scene.desk.close()
    return Desk(folder)


def texts(desk: Desk, device: StoredDevice) -> list[bytes]:
    return [one.payload for one in desk.read(device)]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_submit_is_all_or_nothing_wherever_the_power_fails(tmp_path: Path, after: bool) -> None:  # noqa: FBT001
    for survives in range(1, 100):
        folder = tmp_path / str(survives)
        scene = make_scene(folder)
        scene.frail.left, scene.frail.after = survives, after
        envelope = scene.desk.envelope(scene.group, b"new")
        answered = False
        try:
            scene.desk.submit(scene.alice, envelope)
            answered = True
        except PowerCutError:
            pass
        desk = reopened(folder, scene)
        got = texts(desk, scene.bob)
        assert got in ([b"welcome", b"earlier"], [b"welcome", b"earlier", b"new"])
        assert not answered or got[-1] == b"new"
        (again,) = desk.submit(scene.alice, envelope)
        assert again == (3, desk.now_ms)
        assert texts(desk, scene.bob) == [b"welcome", b"earlier", b"new"]
        desk.close()
        shutil.rmtree(folder)
        if answered:
            return
    pytest.fail("never ended")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_commit_changes_epoch_route_and_inbox_together(tmp_path: Path, after: bool) -> None:  # noqa: FBT001
    for survives in range(1, 200):
        folder = tmp_path / str(survives)
        scene = make_scene(folder)
        scene.frail.left, scene.frail.after = survives, after
        envelope_id = scene.desk.envelope_id()
        answered = _try_commit(scene, scene.desk, envelope_id) is not None
        desk = reopened(folder, scene)
        epoch = [state.epoch for state in desk.ledger.logs.conversations(scene.alice.device)]
        inbox, route = texts(desk, scene.carol), desk.ledger.logs.routes_of(scene.carol.device)
        assert (epoch, inbox, len(route)) in (([1], [], 0), ([2], [b"welcome"], 2))
        assert not answered or epoch == [2]
        assert _try_commit(scene, desk, envelope_id) == Committed(1, 3, desk.now_ms)
        assert texts(desk, scene.carol) == [b"welcome"]
        assert texts(desk, scene.bob) == [b"welcome", b"earlier", b"commit"]
        desk.close()
        shutil.rmtree(folder)
        if answered:
            return
    pytest.fail("never ended")


def _try_commit(scene: Scene, desk: Desk, envelope_id: bytes) -> Committed | None:
    try:
        return desk.commit(
            scene.alice,
            scene.group,
            1,
            added=[scene.carol],
            removed=[scene.bob],
            envelope_id=envelope_id,
        )
    except PowerCutError:
        return None


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_moving_on_loses_and_doubles_nothing_wherever_the_power_fails(
    tmp_path: Path,
    after: bool,  # noqa: FBT001
) -> None:
    for survives in range(1, 200):
        folder = tmp_path / str(survives)
        scene = make_scene(folder)
        desk = scene.desk
        envelope = desk.envelope(scene.group, b"new")
        desk.submit(scene.alice, envelope)
        scene.frail.left, scene.frail.after = survives, after
        finished = False
        try:
            desk.settle()
            desk.acknowledge(scene.bob, {unread.lid: 2 for unread in desk.unread(scene.bob)})
            finished = True
        except PowerCutError:
            pass
        desk = reopened(folder, scene)
        got = texts(desk, scene.bob)
        assert got in ([b"welcome", b"earlier", b"new"], [b"new"])
        assert desk.submit(scene.alice, envelope)[0] == (3, desk.now_ms)
        desk.settle()
        assert texts(desk, scene.bob) == got
        desk.close()
        shutil.rmtree(folder)
        if finished:
            return
    pytest.fail("never ended")


def test_a_full_disk_refuses_and_the_relay_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    desk = scene.desk
    (pages,) = desk.connection.execute("PRAGMA page_count").fetchall()
    desk.connection.execute(f"PRAGMA max_page_count = {pages[0]!r}").fetchone()
    large = [desk.envelope(scene.group, bytes(20_000)) for _ in range(100)]
    accepted = _fill(scene, large)
    desk.connection.execute("PRAGMA max_page_count = 1000000").fetchone()
    assert len(texts(desk, scene.bob)) == 2 + accepted
    (answer,) = desk.submit(scene.alice, desk.envelope(scene.group, b"room again"))
    assert answer == (3 + accepted, desk.now_ms)
    assert texts(desk, scene.bob)[-1] == b"room again"
    desk.close()


def _fill(scene: Scene, envelopes: list[Envelope]) -> int:
    """Submit until the disk is full. Return how many were accepted."""
    for count, envelope in enumerate(envelopes):
        try:
            scene.desk.submit(scene.alice, envelope)
        except StoreFullError:
            return count
    raise AssertionError("the disk never filled")


def test_two_relays_never_share_a_data_directory(tmp_path: Path) -> None:
    first = open_database(tmp_path, os.urandom)
    with pytest.raises(DirectoryInUseError, match="another relay"):
        open_database(tmp_path, os.urandom)
    first.close()
    open_database(tmp_path, os.urandom).close()


def _made(folder: Path) -> None:
    database = open_database(folder, os.urandom)
    try:
        database.writer().close()
    finally:
        database.close()


def test_the_key_is_for_the_owner_only_and_the_database_shows_nothing(tmp_path: Path) -> None:
    _made(tmp_path)
    assert (tmp_path / "relay.key").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "relay.db").read_bytes().startswith(b"SQLite format")


@pytest.mark.parametrize(
    ("key", "error"),
    [
        pytest.param(os.urandom(32).hex().encode(), WrongKeyError, id="another key"),
        pytest.param(b"not hexadecimal", WrongKeyError, id="no key"),
        pytest.param(b"", WrongKeyError, id="empty file"),
        pytest.param(None, KeyMissingError, id="no file"),
    ],
)
def test_a_wrong_key_file_is_named_and_nothing_is_overwritten(
    tmp_path: Path, key: bytes | None, error: type[Exception]
) -> None:
    _made(tmp_path)
    before = (tmp_path / "relay.db").read_bytes()
    file = tmp_path / "relay.key"
    right = file.read_bytes()
    if key is None:
        file.unlink()
    else:
        file.write_bytes(key)
    with pytest.raises(error, match="key"):
        _made(tmp_path)
    assert (tmp_path / "relay.db").read_bytes() == before
    file.write_bytes(right)
    _made(tmp_path)


def test_a_foreign_or_newer_database_is_left_alone(tmp_path: Path) -> None:
    _made(tmp_path)
    database = open_database(tmp_path, os.urandom)
    connection = database.writer()
    connection.execute("PRAGMA user_version = 1000")
    connection.close()
    database.close()
    with pytest.raises(ForeignDatabaseError, match="newer"):
        _made(tmp_path)
    (tmp_path / "relay.db").write_bytes(os.urandom(8192))
    with pytest.raises(WrongKeyError, match="not a database"):
        _made(tmp_path)
