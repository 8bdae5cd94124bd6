"""One log in memory: who reads it, how far, and what may be forgotten.

A log belongs to a conversation or is the inbox of one device. Its envelopes are numbered from 1
without gaps. A *reader* is a device with a cursor; a reader whose ``until`` is set was removed and
may still read up to and including the commit that removed it. The *floor* is the lowest cursor:
what is at or below it has been read by everybody and is deleted.

The floor is kept with a count of the readers standing on it, so that an acknowledgement costs the
same in a conversation of two and of two thousand; only when the last reader leaves the floor all
are looked at.

Spec: protocol/spec/30-ordering.md
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from e2ecore_protocol.frames.conversations import ConversationKind


class LogKind(IntEnum):
    """What a log is for."""

    INBOX = 0
    DIRECT = ConversationKind.DIRECT
    GROUP = ConversationKind.GROUP
    SELF = ConversationKind.SELF


class Hole(NamedTuple):
    """Numbers of a log, both inclusive, that one device must never see."""

    device: int
    first: int
    last: int


class Reader:
    """One device in the route of a log.

    Attributes:
        account: Number of the account that the device belongs to.
        cursor: Highest acknowledged sequence number.
        until: 0 for a member; else the commit that removed it, the last envelope it may read.
        vacant_ms: When it took the place of another device of its account, if no commit has added
            it since; else 0. What is encrypted meanwhile it cannot open.
    """

    __slots__ = ("account", "cursor", "until", "vacant_ms")

    def __init__(self, account: int, cursor: int, until: int = 0, vacant_ms: int = 0) -> None:
        """Stand at ``cursor``."""
        self.account = account
        self.cursor = cursor
        self.until = until
        self.vacant_ms = vacant_ms


class Log:
    """One log. Mirrors stored rows; thrown away when a transaction fails.

    Attributes:
        lid: Number of the log.
        name: Conversation id, or the name of a device's inbox.
        kind: What it is for.
        epoch: Current epoch; 0 for an inbox.
        head: Highest sequence number given.
        floor: Lowest cursor of all readers.
        readers: By device number.
        vacant_ms: The latest of its readers; 0 where each has been added by a commit.
        audience: The device numbers of all members. Replaced, never changed, so that other threads
            may hold it.
    """

    __slots__ = (
        "_standing",
        "audience",
        "epoch",
        "floor",
        "head",
        "kind",
        "lid",
        "name",
        "readers",
        "vacant_ms",
    )

    def __init__(
        self,
        lid: int,
        name: bytes,
        kind: int,
        *,
        epoch: int,
        head: int,
        readers: dict[int, Reader],
    ) -> None:
        """Derive audience and floor."""
        self.lid = lid
        self.name = name
        self.kind = kind
        self.epoch = epoch
        self.head = head
        self.readers = readers
        self.vacant_ms = 0
        self._look()
        self.floor = 0
        self._standing = 0
        self._find_floor()

    def member(self, device: int) -> Reader | None:
        """Return the reader if the device is a member now."""
        reader = self.readers.get(device)
        return None if reader is None or reader.until else reader

    def limit(self, device: int) -> int:
        """Return the highest sequence number that a reader may read now."""
        until = self.readers[device].until
        return min(until, self.head) if until else self.head

    def admit(self, newcomers: Iterable[tuple[int, int]], cursor: int) -> list[Hole]:
        """Make devices members that read from behind ``cursor`` on.

        Args:
            newcomers: Pairs of device and account number.
            cursor: The commit that adds them; they do not read it.

        Returns:
            What some of them must never see: a device that was removed, has not yet read all that
            it may, and is now added again, keeps its cursor and gets a hole.
        """
        holes = []
        for device, account in newcomers:
            reader = self.readers.get(device)
            if reader is None:
                self.readers[device] = Reader(account, cursor)
            elif reader.until:
                holes.append(Hole(device, reader.until + 1, cursor))
                reader.until = 0
        self._look()
        self._find_floor()
        return holes

    def dismiss(self, devices: Iterable[int], until: int) -> None:
        """End memberships: each device reads up to and including ``until``, then is forgotten."""
        for device in devices:
            self.readers[device].until = until
        self._look()

    def drop(self, device: int) -> bool:
        """Forget a reader at once. Return whether the floor rose."""
        reader = self.readers.pop(device)
        if not reader.until:
            self._look()
        return self._left(reader.cursor)

    def succeed(self, old: int, new: int, now_ms: int) -> None:
        """Give a device the place of another one of its account, from the head on."""
        self.readers[new] = Reader(self.readers[old].account, self.head, 0, now_ms)
        self._find_floor()
        self._look()

    def seat(self, devices: Iterable[int]) -> list[int]:
        """A commit has added members. Return those of them whose places were vacant."""
        seated = [one for one in devices if self.readers[one].vacant_ms]
        for device in seated:
            self.readers[device].vacant_ms = 0
        self._look()
        return seated

    def move(self, device: int, cursor: int) -> bool:
        """Move a cursor forward, as far as the device may read. Return whether the floor rose."""
        reader = self.readers[device]
        cursor = min(cursor, self.limit(device))
        before = reader.cursor
        if cursor <= before:
            return False
        reader.cursor = cursor
        return self._left(before)

    def _left(self, cursor: int) -> bool:
        if cursor != self.floor:
            return False
        self._standing -= 1
        return self._standing <= 0 and self._find_floor()

    def _look(self) -> None:
        self.audience = _members(self.readers)
        self.vacant_ms = max(
            (one.vacant_ms for one in self.readers.values() if not one.until), default=0
        )

    def _find_floor(self) -> bool:
        cursors = [reader.cursor for reader in self.readers.values()]
        before = self.floor
        self.floor = min(cursors, default=self.head)
        self._standing = cursors.count(self.floor)
        return self.floor > before


def _members(readers: dict[int, Reader]) -> tuple[int, ...]:
    return tuple([device for device, reader in readers.items() if not reader.until])


def inbox_name(device: int) -> bytes:
    """Return the name of a device's inbox log. Shorter than any conversation id."""
    return device.to_bytes(8)
