"""Finding out which ops of two devices the other one lacks, without telling all of them.

Range-based set reconciliation: one device asks, the other answers, and only the one that asks
remembers anything. It sends fingerprints of ranges. Where the other has the same fingerprint it
says so; else it splits the range into sixteen and says its own fingerprints, or, if it has few ops
there, lists them. From a list the one that asks sees what either lacks. Sixteen times more ops are
half a round more, and a round costs what differs, not what there is.

Nothing here trusts the other side. A frame has a greatest size: what does not fit is asked later,
or left unanswered and asked again. A comparison has a greatest number of rounds, in each of which
something that was asked must be answered, by less than what was asked.

Spec: protocol/spec/75-own-devices.md, [OPL-50] to [OPL-62]
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from e2ecore.errors import UsageError
from e2ecore.sync.errors import ComparisonError, EndlessComparisonError
from e2ecore.sync.items import Items
from e2ecore_protocol.content.comparison import (
    END,
    FINGERPRINT_BYTES,
    START,
    Bound,
    Hashes,
    Part,
    Said,
    decode_answer,
    decode_question,
    encode_comparison,
)
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    HASH_BYTES,
    MAX_ARRAY_ITEMS,
    MAX_COMPARISON_BYTES,
    MAX_COMPARISON_ROUNDS,
)

BRANCHES: Final = 16
"""Parts into which a range that differs is split: 100,000 ops are three splits deep."""

LISTED: Final = 32
"""Ops up to which a range that differs is listed: a list of them costs what its split would."""

MIN_FRAME_BYTES: Final = 2_048
"""Shortest limit on frames: room for a split, so that each round gets somewhere."""

_FRAME_HEAD_BYTES: Final = 5
_BOUND_BYTES: Final = 12
_FINGERPRINT_WIRE_BYTES: Final = 2 + FINGERPRINT_BYTES
_LIST_HEAD_BYTES: Final = 3
_HASH_WIRE_BYTES: Final = 2 + HASH_BYTES
_LONGEST_AGREEMENT_BYTES: Final = _BOUND_BYTES + HASH_BYTES + 1
_MAX_PARTS: Final = MAX_ARRAY_ITEMS - 3

_Range: TypeAlias = tuple[Bound, Bound]
_Part: TypeAlias = tuple[Bound, Bound, Said]


@dataclass(frozen=True, slots=True)
class Found:
    """What a round has brought.

    ``frame`` is the next question; None: the comparison is over. ``have`` are hashes of ops that
    this device has and the other lacks, ``need`` of those that it lacks itself, ascending. Each is
    named once in a whole comparison.
    """

    frame: bytes | None
    have: Hashes
    need: Hashes


class _Open(NamedTuple):
    """A range in which the two may differ; ``listing``: they do, and there is little here."""

    lower: Bound
    upper: Bound
    listing: bool = False


class Reconciler:
    """The side that asks. Each question is answered before the next one is made."""

    def __init__(self, items: Items, *, max_frame_bytes: int = MAX_COMPARISON_BYTES) -> None:
        """Begin with what this device has now.

        Args:
            items: What it has.
            max_frame_bytes: Longest question, from MIN_FRAME_BYTES to MAX_COMPARISON_BYTES.

        Raises:
            UsageError: Frames cannot be of that length.
        """
        self._items = items
        self._limit = _checked(max_frame_bytes)
        self._rounds = 0
        self._asked: list[_Open] = []
        self._open = [_Open(*one) for one in _split(items, START, END)]

    def initiate(self) -> bytes:
        """Return the first question.

        Raises:
            UsageError: It was asked already.
        """
        if self._rounds:
            raise UsageError("a comparison is initiated once")
        return self._ask()

    def respond(self, answer: bytes) -> Found:
        """Take an answer; return what it brought and the next question.

        Raises:
            ComparisonError: It is no answer to what was asked. What was found before holds.
            EndlessComparisonError: Too many rounds. What was found before holds.
        """
        parts = self._checked_answer(answer)
        have: set[bytes] = set()
        need: set[bytes] = set()
        found: list[_Open] = []
        lower = START
        for upper, said in parts:
            if isinstance(said, tuple):
                ours = set(self._items.hashes(*self._items.places(lower, upper)))
                have |= ours.difference(said)
                need |= set(said) - ours
            elif isinstance(said, bytes):
                found.extend(self._look_closer(lower, upper, said))
            lower = upper
        unanswered = [
            one._replace(lower=max(one.lower, lower)) for one in self._asked if one.upper > lower
        ]
        self._open = [*found, *unanswered, *self._open]
        frame = self._ask() if self._open else None
        return Found(frame, tuple(sorted(have)), tuple(sorted(need)))

    def _look_closer(self, lower: Bound, upper: Bound, theirs: bytes) -> Iterator[_Open]:
        first, end = self._items.places(lower, upper)
        if self._items.fingerprint(first, end) == theirs:
            return
        listing = end - first <= LISTED
        for one in _split(self._items, lower, upper):
            yield _Open(*one, listing)

    def _checked_answer(self, answer: bytes) -> tuple[Part, ...]:
        try:
            parts = decode_answer(answer)
        except MalformedError as error:
            raise ComparisonError("not an answer") from error
        uppers = [one.upper for one in self._asked]
        lower = START
        for upper, said in parts:
            if said is not None:
                place = bisect_right(uppers, lower)
                if place == len(uppers) or not _answers(self._asked[place], lower, upper, said):
                    raise ComparisonError("not an answer to what was asked")
            lower = upper
        if not self._asked or lower <= self._asked[0].lower:
            raise ComparisonError("nothing that was asked is answered")
        return parts

    def _ask(self) -> bytes:
        self._rounds += 1
        if self._rounds > MAX_COMPARISON_ROUNDS:
            raise EndlessComparisonError
        frame = _Frame(self._limit)
        asked = 0
        for lower, upper, listing in self._open:
            places = self._items.places(lower, upper)
            said = True if listing else self._items.fingerprint(*places)
            if not frame.add(lower, upper, said):
                break
            asked += 1
        self._asked, self._open = self._open[:asked], self._open[asked:]
        return frame.question()


def answer(items: Items, question: bytes, *, max_frame_bytes: int = MAX_COMPARISON_BYTES) -> bytes:
    """Return the answer to a question. Nothing has to be remembered for the next one.

    Args:
        items: What this device has. It may be another from one question to the next.
        question: As it came.
        max_frame_bytes: Longest answer, from MIN_FRAME_BYTES to MAX_COMPARISON_BYTES.

    Raises:
        ComparisonError: It is no question.
        UsageError: Frames cannot be of that length.
    """
    frame = _Frame(_checked(max_frame_bytes))
    try:
        parts = decode_question(question)
    except MalformedError as error:
        raise ComparisonError("not a question") from error
    lower = START
    for upper, said in parts:
        if not all(frame.add(*one) for one in _answers_to(items, lower, upper, said)):
            break
        lower = upper
    return frame.answer()


class _Frame:
    """A frame in the making, which never becomes longer than it may."""

    def __init__(self, max_bytes: int) -> None:
        self._parts: list[Part] = []
        self._end = START
        self._agreed = START
        self._room = max_bytes - _FRAME_HEAD_BYTES - _LONGEST_AGREEMENT_BYTES

    def add(self, lower: Bound, upper: Bound, said: Said) -> bool:
        """Say something of the next range; return whether there was room for it.

        What lies between the range before and this one agrees.
        """
        if said is None:
            self._agreed = upper
            return True
        new = [Part(upper, said)]
        if lower > self._end:
            new.insert(0, Part(lower, None))
        cost = sum(map(_cost, new))
        if cost > self._room or len(self._parts) > _MAX_PARTS:
            return False
        self._room -= cost
        self._parts.extend(new)
        self._end = self._agreed = upper
        return True

    def question(self) -> bytes:
        """Return the frame; what follows its last range is not asked."""
        return encode_comparison(self._parts)

    def answer(self) -> bytes:
        """Return the frame; what follows its last range is not answered."""
        rest = [Part(self._agreed, None)] if self._agreed > self._end else []
        return encode_comparison([*self._parts, *rest])


def _cost(part: Part) -> int:
    bound = _BOUND_BYTES + len(part.upper.prefix)
    if isinstance(part.said, tuple):
        return bound + _LIST_HEAD_BYTES + len(part.said) * _HASH_WIRE_BYTES
    return bound + (_FINGERPRINT_WIRE_BYTES if isinstance(part.said, bytes) else 1)


def _answers(asked: _Open, lower: Bound, upper: Bound, said: Said) -> bool:
    """Tell whether a range of an answer is within one that was asked, and says more of it."""
    if not asked.lower <= lower < upper <= asked.upper:
        return False
    closer = (lower, upper) != (asked.lower, asked.upper)
    return isinstance(said, tuple) or (closer and not asked.listing)


def _answers_to(items: Items, lower: Bound, upper: Bound, said: Said) -> Iterator[_Part]:
    if said is None:
        yield lower, upper, None
        return
    first, end = items.places(lower, upper)
    if said == items.fingerprint(first, end):
        yield lower, upper, None
    elif said is True or end - first <= LISTED:
        step = LISTED
        for one in _cut(items, lower, upper, range(first + step, end, step)):
            yield *one, items.hashes(*items.places(*one))
    else:
        for one in _split(items, lower, upper):
            yield *one, items.fingerprint(*items.places(*one))


def _split(items: Items, lower: Bound, upper: Bound) -> Iterator[_Range]:
    """Split a range into as many parts of the same number of ops, or leave it if it has few."""
    first, end = items.places(lower, upper)
    if end - first <= LISTED:
        yield lower, upper
        return
    cuts = [first + (end - first) * n // BRANCHES for n in range(1, BRANCHES)]
    yield from _cut(items, lower, upper, cuts)


def _cut(items: Items, lower: Bound, upper: Bound, places: Iterable[int]) -> Iterator[_Range]:
    for place in places:
        bound = items.bound(place)
        yield lower, bound
        lower = bound
    yield lower, upper


def _checked(max_frame_bytes: int) -> int:
    if not MIN_FRAME_BYTES <= max_frame_bytes <= MAX_COMPARISON_BYTES:
        raise UsageError(f"frames have {MIN_FRAME_BYTES} to {MAX_COMPARISON_BYTES} bytes")
    return max_frame_bytes
