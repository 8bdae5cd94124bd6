"""Connections that have not said anything yet."""

import socket
from collections.abc import Iterator

import anyio
import pytest

from e2ecore_channel import HAS_EPOLL, Lobby, listen, serve
from e2ecore_channel.lobby import has_spoken
from tests.support.engines import PATIENCE_S

pytestmark = pytest.mark.skipif(not HAS_EPOLL, reason="epoll is Linux's")


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(3)]
    yield made
    for pair in made:
        for one in pair:
            one.close()


def test_only_those_who_speak_are_heard_and_nothing_of_it_is_taken_away(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    lobby = Lobby(10)
    for ours, _ in pairs:
        lobby.add(ours)
    assert lobby.heard() == []
    pairs[1][1].send(b"hello")
    (spoken,) = lobby.heard()
    assert spoken is pairs[1][0]
    assert spoken.recv(10) == b"hello"
    assert len(lobby) == 2


def test_who_hangs_up_without_a_word_is_closed(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    lobby = Lobby(10)
    ours, theirs = pairs[0]
    lobby.add(ours)
    theirs.close()
    assert lobby.heard() == []
    assert len(lobby) == 0
    assert ours.fileno() < 0


def test_the_oldest_is_dropped_first_and_silence_ends(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    now = 0.0
    lobby = Lobby(10, clock_s=lambda: now)
    for ours, _ in pairs:
        lobby.add(ours)
        now += 3.0
    assert lobby.drop_oldest()
    assert [ours.fileno() < 0 for ours, _ in pairs] == [True, False, False]
    now = 14.0
    assert lobby.heard() == []
    assert [ours.fileno() < 0 for ours, _ in pairs] == [True, True, False]
    now = 17.0
    lobby.heard()
    assert not lobby.drop_oldest()


def test_what_cannot_be_watched_is_closed() -> None:
    lobby = Lobby(10)
    ours, theirs = socket.socketpair()
    lobby.add(ours)
    lobby.add(ours)  # epoll refuses to watch one twice
    assert ours.fileno() < 0
    theirs.close()


def test_a_broken_connection_has_not_spoken() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    assert not has_spoken(ours)
    ours.close()
    assert not has_spoken(ours)


@pytest.mark.anyio
async def test_silent_connections_wait_without_a_task_until_they_speak() -> None:
    (listener,) = listen("127.0.0.1", 0)
    lobby = Lobby(PATIENCE_S)
    begun: list[bytes] = []
    done = anyio.Event()

    async def handle(connected: socket.socket) -> None:
        begun.append(connected.recv(10))
        connected.close()
        if len(begun) == 2:
            done.set()

    waited: list[socket.socket] = []

    def wait(connected: socket.socket) -> None:
        waited.append(connected)
        lobby.add(connected)

    address = listener.getsockname()
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, listener, handle, wait)
            tasks.start_soon(lobby.run, handle)
            silent = [socket.create_connection(address) for _ in range(3)]
            while len(lobby) < 3:  # noqa: ASYNC110 - it has no event
                await anyio.sleep(0.001)
            for index in (2, 0):
                silent[index].send(b"%d" % index)
            await done.wait()
            tasks.cancel_scope.cancel()
    assert sorted(begun) == [b"0", b"2"]
    assert len(lobby) == 0
    assert all(one.fileno() < 0 for one in waited)
    for one in silent:
        one.close()
