"""Polls: who may close, which close counts, what a vote may choose, how it is counted."""

import pytest

from e2ecore.messaging.polls import (
    BadChoiceRevealedError,
    Ballot,
    BallotState,
    CloseNotAllowedError,
    Revealed,
    ballots,
    check_choices,
    check_close,
    decode_counted,
    encode_counted,
    from_mask,
    replaces,
    tally,
    to_mask,
)
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content import Counted
from e2ecore_protocol.content.conversation import Role
from e2ecore_protocol.errors import MalformedError

ANNA, BERT, CARL, DORA = (bytes([one]) * 20 for one in range(4))
SEALED = bytes(range(32))


def test_who_asked_and_who_runs_the_group_may_close() -> None:
    check_close(by=ANNA, author=ANNA, role=Role.MEMBER)
    check_close(by=ANNA, author=BERT, role=Role.ADMIN)
    check_close(by=ANNA, author=BERT, role=Role.OWNER)
    with pytest.raises(CloseNotAllowedError):
        check_close(by=ANNA, author=BERT, role=Role.MEMBER)


def test_the_first_close_in_the_log_counts() -> None:
    assert replaces(None, 7)
    assert replaces(7, 6)
    assert not replaces(7, 7)
    assert not replaces(7, 8)


@pytest.mark.parametrize("wrong", [(3,), (-1,), (0, 1, 2)])
def test_a_vote_chooses_what_there_is_and_not_too_much(wrong: tuple[int, ...]) -> None:
    for right in ((), (2,), (0, 2)):
        check_choices(right, 3, 2)
    with pytest.raises(BadChoiceRevealedError):
        check_choices(wrong, 3, 2)


def test_of_an_open_poll_nothing_is_known_but_who_has_voted() -> None:
    early = [Revealed(ANNA, SEALED, (0,))]
    assert ballots([BERT, ANNA], None, early) == (
        Ballot(ANNA, BallotState.SEALED),
        Ballot(BERT, BallotState.SEALED),
    )


def test_only_votes_that_the_close_names_and_that_were_opened_are_counted() -> None:
    counted = {ANNA: SEALED, BERT: SEALED, DORA: SEALED}
    said = [
        Revealed(ANNA, SEALED, (0, 1)),
        Revealed(BERT, bytes(32), (0,)),
        Revealed(CARL, SEALED, (0,)),
    ]
    found = ballots([ANNA, BERT, CARL], counted, said)
    assert found == (
        Ballot(ANNA, BallotState.OPENED, (0, 1)),
        Ballot(BERT, BallotState.UNOPENED),
        Ballot(CARL, BallotState.LEFT_OUT),
        Ballot(DORA, BallotState.UNOPENED),
    )
    assert tally(3, found) == (1, 1, 0)


def test_choices_are_stored_as_bits() -> None:
    for choices in ((), (0,), (11,), (0, 3, 11)):
        assert from_mask(to_mask(choices)) == choices


def test_what_is_stored_of_a_close_is_read_strictly() -> None:
    counted = (Counted(ANNA, SEALED), Counted(BERT, bytes(32)))
    assert decode_counted(encode_counted(counted)) == {ANNA: SEALED, BERT: bytes(32)}
    for wrong in (b"", pack((1,)), pack(((ANNA,),)), pack(((ANNA, SEALED + b"x"),))):
        with pytest.raises(MalformedError):
            decode_counted(wrong)
