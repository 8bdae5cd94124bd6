"""Comparing what two devices have: right, short, and ended by whoever breaks a rule."""

import hashlib
from collections.abc import Iterable
from itertools import pairwise

import pytest

from e2ecore.errors import UsageError
from e2ecore.sync.errors import ComparisonError, EndlessComparisonError
from e2ecore.sync.items import Items
from e2ecore.sync.reconciling import LISTED, MIN_FRAME_BYTES, Reconciler, answer
from e2ecore_protocol.content.comparison import (
    END,
    Bound,
    Part,
    decode_answer,
    decode_question,
    encode_comparison,
)
from e2ecore_protocol.limits import MAX_COMPARISON_BYTES, MAX_COMPARISON_ROUNDS
from tests.support.comparing import compare


def items(numbers: Iterable[int], *, spread: int = 1 << 16) -> list[tuple[int, bytes]]:
    return [(one * spread, hashlib.sha256(b"%d" % one).digest()) for one in numbers]


def test_equal_sets_take_one_round() -> None:
    same = items(range(1_000))
    compared = compare(same, same)
    assert (compared.rounds, compared.have, compared.need) == (1, set(), set())


def test_empty_sets_take_one_round() -> None:
    assert compare([], []).rounds == 1


@pytest.mark.parametrize("frame_bytes", [MIN_FRAME_BYTES, MAX_COMPARISON_BYTES])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param(range(2_000), [], id="they have nothing"),
        pytest.param([], range(2_000), id="we have nothing"),
        pytest.param(range(1_000), range(1_000, 2_000), id="nothing is shared"),
        pytest.param(range(1_500), range(500, 2_000), id="half is shared"),
        pytest.param(range(0, 2_000, 2), range(0, 2_000, 3), id="everywhere a bit"),
        pytest.param(range(5), range(3, 2_000), id="few against many"),
        pytest.param([7], [7], id="one and the same"),
    ],
)
def test_differences_are_found(
    ours: Iterable[int], theirs: Iterable[int], frame_bytes: int
) -> None:
    here, there = items(ours), items(theirs)
    compared = compare(here, there, frame_bytes)
    assert compared.have == {name for _, name in {*here} - {*there}}
    assert compared.need == {name for _, name in {*there} - {*here}}
    assert compared.longest <= frame_bytes


def test_ops_of_one_moment_are_told_apart_by_their_hashes() -> None:
    here, there = items(range(500), spread=0), items(range(10, 510), spread=0)
    compared = compare(here, there)
    assert len(compared.have) == len(compared.need) == 10


def test_few_differences_among_many_ops_are_found_in_a_few_kilobytes() -> None:
    every = items(range(20_000))
    compared = compare(every[5:], every[:-5])
    assert (len(compared.have), len(compared.need)) == (5, 5)
    assert compared.rounds <= 3
    assert compared.total <= 20_000


def test_a_comparison_is_initiated_once() -> None:
    asking = Reconciler(Items([]))
    asking.initiate()
    with pytest.raises(UsageError):
        asking.initiate()


@pytest.mark.parametrize("size", [MIN_FRAME_BYTES - 1, MAX_COMPARISON_BYTES + 1])
def test_frames_have_a_sensible_length(size: int) -> None:
    with pytest.raises(UsageError):
        Reconciler(Items([]), max_frame_bytes=size)
    question = Reconciler(Items([])).initiate()
    with pytest.raises(UsageError):
        answer(Items([]), question, max_frame_bytes=size)


def test_a_question_that_does_not_fit_is_asked_in_parts() -> None:
    """Who answers has split everything, so that what is to be asked next is longer than a frame."""
    here, there = items(range(0, 12_000, 2), spread=7), items(range(0, 12_000, 3), spread=7)
    asking, theirs = Reconciler(Items(here), max_frame_bytes=MIN_FRAME_BYTES), Items(there)
    question = asking.initiate()
    found = asking.respond(answer(theirs, question))
    lengths: list[int] = []
    have, need = [*found.have], [*found.need]
    while found.frame is not None and len(lengths) < MAX_COMPARISON_ROUNDS - 2:
        lengths.append(len(found.frame))
        found = asking.respond(answer(theirs, found.frame))
        have += found.have
        need += found.need
    assert max(lengths) <= MIN_FRAME_BYTES
    assert {*have} <= {name for _, name in {*here} - {*there}}
    assert {*need} <= {name for _, name in {*there} - {*here}}


def test_how_many_ops_there_are_is_known() -> None:
    assert len(Items(items(range(5)))) == 5


def test_an_op_that_is_there_twice_is_refused() -> None:
    with pytest.raises(UsageError):
        Items([*items([1]), *items([1])])


HERE = Items(items(range(600)))
MANY = bytes(16)
ASKED = decode_question(Reconciler(HERE).initiate())
FIRST = ASKED[0].upper
SECOND = ASKED[1].upper


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(Reconciler(HERE).initiate()[:-1], id="cut"),
        pytest.param(encode_comparison([Part(END, said=True)]), id="a question"),
        pytest.param(encode_comparison([]), id="nothing answered"),
        pytest.param(encode_comparison([Part(FIRST, MANY)]), id="the whole of a range again"),
        pytest.param(encode_comparison([Part(END, MANY)]), id="more than one range"),
        pytest.param(encode_comparison([Part(SECOND, (bytes(32),))]), id="a list over two ranges"),
        pytest.param(
            encode_comparison([Part(FIRST, None), Part(END._replace(time=1 << 62), MANY)]),
            id="beyond a range",
        ),
    ],
)
def test_what_is_no_answer_is_refused(bad: bytes) -> None:
    asking = Reconciler(HERE)
    asking.initiate()
    with pytest.raises(ComparisonError):
        asking.respond(bad)


def test_an_answer_without_a_question_is_refused() -> None:
    with pytest.raises(ComparisonError):
        Reconciler(HERE).respond(encode_comparison([Part(END, None)]))


def test_a_fingerprint_where_a_list_was_asked_is_refused() -> None:
    asking = Reconciler(Items(items(range(LISTED))))
    asking.initiate()
    found = asking.respond(encode_comparison([Part(Bound(5 << 16), MANY)]))
    assert found.frame is not None
    assert decode_question(found.frame)[0].said is True
    with pytest.raises(ComparisonError):
        asking.respond(encode_comparison([Part(Bound(2 << 16), MANY)]))


def test_what_is_no_question_is_not_answered() -> None:
    with pytest.raises(ComparisonError):
        answer(HERE, encode_comparison([Part(END, (bytes(32),))]))


def test_somebody_who_never_comes_to_an_end_is_left() -> None:
    """A liar answers a very little bit more each time."""
    asking = Reconciler(HERE)
    asking.initiate()
    bounds = [Bound(0, step.to_bytes(4)) for step in range(1, MAX_COMPARISON_ROUNDS + 1)]
    answers = [encode_comparison([Part(bounds[0], ())])]
    for before, here in pairwise(bounds):
        answers.append(encode_comparison([Part(before, None), Part(here, ())]))
    for said in answers[:-1]:
        assert asking.respond(said).frame is not None
    with pytest.raises(EndlessComparisonError):
        asking.respond(answers[-1])


def test_answers_to_the_same_question_are_the_same() -> None:
    question = Reconciler(Items(items(range(100, 900)))).initiate()
    assert answer(HERE, question) == answer(HERE, question)
    assert decode_answer(answer(HERE, question))
