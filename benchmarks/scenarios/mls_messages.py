"""One application message through our MLS group, against the same bytes made straight down; and
whether its price depends on the size of the group.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.floors.private_message import PrivateMessageFloor
from benchmarks.large_groups import LargeGroup
from benchmarks.measuring import FLOOR, Timings, cpu_us
from benchmarks.mls_peers import MESSAGE_PEERS, OPENMLS, add_peers, beside
from benchmarks.model import OURS, Context, Measure, Result, Scale, Scenario, at_most
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.suites import SUITES
from e2ecore.mls.received import ApplicationMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2ecore.crypto.signing import SigningKey
    from e2ecore.mls.group import Group

SUITE: Final = 0x0001
"""Our default suite protects messages in the same way; only commits differ."""

FEW: Final = 2
MANY: Final = 1000
FEW_MEMBERS: Final = "2 members"

ROUND: Final = 50
"""Messages of one system before it is the next one's turn."""

PLAINTEXT: Final = bytes(range(256))
AUTHENTICATED_DATA: Final = b"\x92\x01\xcd\x04\xd2"
"""As long as the engine's: version and counter."""


class Refused(Exception):  # noqa: N818 - says what happened
    """The receiver did not get the message that was sent."""


class _Pair:
    """A sender and a receiver in a live group."""

    def __init__(self, members: int) -> None:
        large = LargeGroup.of(SUITES[SUITE], members)
        self._signer: SigningKey = large.signers[0]
        self._sender, self._receiver = large.member(0), large.member(members - 1)
        self.messages: list[bytes] = []

    def protect(self) -> None:
        self.messages = [self._protect(self._sender) for _ in range(ROUND)]

    def _protect(self, group: Group) -> bytes:
        message = group.protect(
            PLAINTEXT, authenticated_data=AUTHENTICATED_DATA, signer=self._signer, rng=system_rng
        )
        group.take_changes()
        return message

    def receive(self) -> None:
        for message in self.messages:
            received = self._receiver.receive(message, now_ms=None)
            self._receiver.take_changes()
            if not isinstance(received, ApplicationMessage) or received.data != PLAINTEXT:
                raise Refused(f"received {type(received).__name__}")


class _FloorPair:
    """The same, straight down."""

    def __init__(self) -> None:
        self._floor = PrivateMessageFloor()
        self.messages: list[bytes] = []

    def protect(self) -> None:
        protect = partial(self._floor.protect, PLAINTEXT, AUTHENTICATED_DATA)
        self.messages = [protect() for _ in range(ROUND)]

    def receive(self) -> None:
        for message in self.messages:
            self._floor.unprotect(message)


def _run_once(
    pairs: Sequence[tuple[str, str, _Pair | _FloorPair]], rounds: int
) -> dict[str, Timings]:
    """Let the pairs take turns; return the timings by system."""
    timings = {OURS: Timings(), FLOOR: Timings(), FEW_MEMBERS: Timings()}
    for _ in range(rounds):
        for system, suffix, pair in pairs:
            timings[system].add(f"protect{suffix}", cpu_us(pair.protect, ROUND))
            timings[system].add(f"receive{suffix}", cpu_us(pair.receive, ROUND))
            timings[system].add("bytes", len(pair.messages[0]))
    return timings


def _run(context: Context, size: int) -> Result:
    result = Result()
    pairs = (
        (OURS, "", _Pair(FEW)),
        (FLOOR, "", _FloorPair()),
        (OURS, "_many", _Pair(MANY)),
        (FEW_MEMBERS, "_many", _Pair(FEW)),
    )
    for _ in range(context.runs):
        for system, timings in _run_once(pairs, max(1, size // ROUND)).items():
            result.add(system, timings.medians())
    add_peers(context, result, MLS_MESSAGES, size)
    return result


_PROTECT: Final = Measure("protect_us", "protect", "us", "CPU time to protect", FLOOR, at_most(1.4))
_RECEIVE: Final = Measure("receive_us", "receive", "us", "CPU time to receive", FLOOR, at_most(1.3))

MLS_MESSAGES: Final = Scenario(
    name="mls_messages",
    title="Protecting and receiving one MLS message",
    about=(
        "256 bytes, in order, in a live group of 2, suite 1, with the row changes collected but"
        " not stored; against the same wire format written straight down on the primitives. Then"
        " the same in a group of 1,000 against one of 2."
    ),
    sizes={Scale.QUICK: 50, Scale.SHORT: 3000, Scale.LONG: 10_000},
    size_unit="messages",
    measures=(
        _PROTECT,
        _RECEIVE,
        Measure(
            "protect_us_1000",
            "protect_many",
            "us",
            "CPU time to protect among 1,000 members",
            FEW_MEMBERS,
            at_most(1.1),
        ),
        Measure(
            "receive_us_1000",
            "receive_many",
            "us",
            "CPU time to receive among 1,000 members",
            FEW_MEMBERS,
            at_most(1.1),
        ),
        Measure("bytes", "bytes", "B", "size of the message", FLOOR),
        *beside(_PROTECT, MESSAGE_PEERS, {OPENMLS: at_most(1)}),
        *beside(_RECEIVE, MESSAGE_PEERS, {OPENMLS: at_most(1)}),
    ),
    run=_run,
)
