"""Where connections wait that have not said anything yet.

Clients of TLS and HTTP speak first. Until then a connection is worth a socket and a line in a
table, not a task: tasks for the connections of somebody who only connects, a thousand a second, are
what would hold up everybody else. One epoll watches all that wait; only the first byte of a
connection makes a task.
"""

import select
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Final

import anyio

_HEARD_AT_ONCE: Final = 8
"""Connections that begin before other tasks get a turn."""
_LOOK_S: Final = 1.0
"""Between two looks for those that have waited too long, while nobody says anything."""


HAS_EPOLL: Final = hasattr(select, "epoll")
"""Can there be a lobby? Where not, every connection gets a task at once."""


class Lobby:
    """Connections without a first byte. Belongs to one event loop. Linux only."""

    def __init__(self, patience_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Nobody waits.

        Args:
            patience_s: How long a connection may say nothing.
            clock_s: Seconds, from any moment on.

        Raises:
            OSError: No file descriptor is left.
            AttributeError: The operating system has no epoll; see ``HAS_EPOLL``.
        """
        self._patience_s = patience_s
        self._clock_s = clock_s
        self._epoll = select.epoll()
        self._waiting: dict[int, tuple[socket.socket, float]] = {}
        """By file descriptor: the connection, and when it is closed. The oldest comes first."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, connected: socket.socket) -> None:
        """Have a connection wait. The lobby owns it until it says something."""
        fd = connected.fileno()
        try:
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLRDHUP)
        except OSError:  # the system watches no more files
            connected.close()
            return
        self._waiting[fd] = (connected, self._clock_s() + self._patience_s)

    def drop_oldest(self) -> bool:
        """Close the connection that has been silent for longest. Return whether there was one."""
        if not self._waiting:
            return False
        connected, _ = self._waiting.pop(next(iter(self._waiting)))
        connected.close()  # epoll forgets what is closed
        return True

    async def run(self, handle: Callable[[socket.socket], Coroutine[None, None, None]]) -> None:
        """Run ``handle`` for each connection that says something, until cancelled.

        Args:
            handle: As for ``serve``.
        """
        try:
            async with anyio.create_task_group() as tasks:
                while True:
                    with anyio.move_on_after(_LOOK_S):
                        await anyio.wait_readable(self._epoll)
                    for connected in self.heard():
                        tasks.start_soon(handle, connected)
        finally:
            while self.drop_oldest():
                pass
            self._epoll.close()

    def heard(self) -> list[socket.socket]:
        """Return some that have said something; close those that hung up or waited in vain."""
        spoken: list[socket.socket] = []
        for fd, _ in self._epoll.poll(0, _HEARD_AT_ONCE):
            connected, _ = self._waiting.pop(fd)
            self._epoll.unregister(fd)
            if has_spoken(connected):
                spoken.append(connected)
            else:
                connected.close()
        now = self._clock_s()
        while self._waiting and next(iter(self._waiting.values()))[1] <= now:
            self.drop_oldest()
        return spoken


def has_spoken(connected: socket.socket) -> bool:
    """Tell whether a connection has something to read. Takes nothing away."""
    try:
        return bool(connected.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:  # nothing is there yet, or nothing will ever be
        return False
