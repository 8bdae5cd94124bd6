"""One application message through our MLS group, against the same bytes made straight down."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.floors.private_message import PrivateMessageFloor
from benchmarks.measuring import FLOOR, cpu_us
from benchmarks.model import OURS, Context, Measure, Result, Scale, Scenario
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.suites import SUITES
from e2ecore.mls.group import Group
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.proposals import Add
from e2ecore.mls.received import ApplicationMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2ecore.crypto.signing import SigningKey

SUITE: Final = 0xF001
"""Our default. Its messages are protected as those of suite 1; only commits differ."""

MEMBERS: Final = 10
"""The price of a message must not depend on it."""

PLAINTEXT: Final = bytes(range(200))
AUTHENTICATED_DATA: Final = b"\x92\x01\xcd\x04\xd2"
"""As long as the engine's: version and counter."""


class Refused(Exception):  # noqa: N818 - says what happened
    """The receiver did not get the message that was sent."""


def group_pair() -> tuple[Group, SigningKey, Group]:
    """Return a sender's group with its key, and the group of another member; ten members in all."""
    suite = SUITES[SUITE]
    now_ms = time.time_ns() // 1_000_000
    signer = suite.signature.generate(system_rng)
    sender = Group.create(suite, bytes(16), signer, b"sender", now_ms=now_ms, rng=system_rng)
    bundles = [
        KeyPackageBundle.generate(
            suite,
            suite.signature.generate(system_rng),
            b"member %d" % number,
            now_ms=now_ms,
            rng=system_rng,
        )
        for number in range(1, MEMBERS)
    ]
    pending = sender.create_commit(
        [Add(bundle.key_package) for bundle in bundles],
        signer=signer,
        now_ms=now_ms,
        rng=system_rng,
    )
    sender.merge(pending.staged, now_ms=now_ms)
    if pending.welcome is None:
        raise Refused("the commit that adds members has no welcome")
    receiver = Group.join(pending.welcome, bundles[0], now_ms=now_ms)
    return sender, signer, receiver


def _protect_all(group: Group, signer: SigningKey, messages: list[bytes], count: int) -> None:
    for _ in range(count):
        messages.append(
            group.protect(
                PLAINTEXT,
                authenticated_data=AUTHENTICATED_DATA,
                signer=signer,
                rng=system_rng,
            )
        )
        group.take_changes()


def _receive_all(group: Group, messages: Sequence[bytes]) -> None:
    for message in messages:
        received = group.receive(message, now_ms=None)
        group.take_changes()
        if not isinstance(received, ApplicationMessage) or received.data != PLAINTEXT:
            raise Refused(f"received {type(received).__name__}")


def _protect_floor(floor: PrivateMessageFloor, messages: list[bytes], count: int) -> None:
    messages.extend(floor.protect(PLAINTEXT, AUTHENTICATED_DATA) for _ in range(count))


def _receive_floor(floor: PrivateMessageFloor, messages: Sequence[bytes]) -> None:
    for message in messages:
        floor.unprotect(message)


def _run(context: Context, size: int) -> Result:
    result = Result()
    sender, signer, receiver = group_pair()
    floor = PrivateMessageFloor()
    for _ in range(context.runs):
        ours: list[bytes] = []
        protect = cpu_us(partial(_protect_all, sender, signer, ours, size), size)
        receive = cpu_us(partial(_receive_all, receiver, ours), size)
        result.add(OURS, {"protect": protect, "receive": receive, "bytes": len(ours[0])})
        theirs: list[bytes] = []
        protect = cpu_us(partial(_protect_floor, floor, theirs, size), size)
        receive = cpu_us(partial(_receive_floor, floor, theirs), size)
        result.add(FLOOR, {"protect": protect, "receive": receive, "bytes": len(theirs[0])})
    return result


MLS_MESSAGES: Final = Scenario(
    name="mls_messages",
    title="Protecting and receiving one MLS message",
    about=(
        f"200 bytes, in order, in a group of {MEMBERS}, with the row changes collected but not "
        "stored; against the same wire format written straight down on the primitives."
    ),
    sizes={Scale.QUICK: 50, Scale.SHORT: 3000, Scale.LONG: 10_000},
    size_unit="messages",
    measures=(
        Measure("protect_cpu_us", "protect", "us", "CPU time to protect", FLOOR),
        Measure("receive_cpu_us", "receive", "us", "CPU time to receive", FLOOR),
        Measure("bytes", "bytes", "B", "size of the message", FLOOR),
    ),
    run=_run,
)
