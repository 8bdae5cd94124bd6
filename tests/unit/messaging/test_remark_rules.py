"""Which edits and reactions count, and what is stored beside a text."""

import itertools

import pytest

from e2ecore.messaging.marks import PLAIN, Marks, decode_marks, encode_marks
from e2ecore.messaging.reactions import counts, decode_signs, encode_signs
from e2ecore.messaging.revisions import (
    EditedKindError,
    EditTooLateError,
    Fate,
    Subject,
    judge_edit,
)
from e2ecore.messaging.stamps import Stamp, next_ms
from e2ecore_protocol.content import Extras, Mention, Reply
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import EDIT_WINDOW_MS

SENT_MS = 1_000
PHONE, DESK = b"a" * 16, b"b" * 16
TEXT = Subject(SENT_MS, is_text=True, edited=None)


def test_an_edit_counts_until_the_last_millisecond_of_the_window() -> None:
    last = SENT_MS + EDIT_WINDOW_MS
    assert judge_edit(TEXT, Stamp(last, PHONE)) is Fate.SHOWN
    with pytest.raises(EditTooLateError):
        judge_edit(TEXT, Stamp(last + 1, PHONE))
    with pytest.raises(EditedKindError):
        judge_edit(Subject(SENT_MS, is_text=False, edited=None), Stamp(SENT_MS, PHONE))


def test_whatever_the_order_the_same_edit_is_shown() -> None:
    stamps = [Stamp(2, PHONE), Stamp(2, DESK), Stamp(1, DESK)]
    for order in itertools.permutations(stamps):
        shown: Stamp | None = None
        for stamp in [*order, *order]:
            if judge_edit(Subject(SENT_MS, is_text=True, edited=shown), stamp) is Fate.SHOWN:
                shown = stamp
        assert shown == Stamp(2, DESK)
    assert judge_edit(Subject(1, is_text=True, edited=stamps[1]), stamps[1]) is Fate.NOTHING
    assert judge_edit(Subject(1, is_text=True, edited=stamps[1]), stamps[0]) is Fate.KEPT


def test_a_reaction_replaces_earlier_ones_only() -> None:
    assert counts(None, Stamp(1, PHONE))
    assert counts(Stamp(1, PHONE), Stamp(1, DESK))
    assert not counts(Stamp(1, PHONE), Stamp(1, PHONE))
    assert not counts(Stamp(2, PHONE), Stamp(1, DESK))


def test_a_clock_that_was_set_back_does_not_make_a_change_count_less() -> None:
    assert next_ms(7, None) == 7
    assert next_ms(7, Stamp(5, PHONE)) == 7
    assert next_ms(7, Stamp(9, PHONE)) == 10


@pytest.mark.parametrize(
    "marks",
    [
        PLAIN,
        Marks(edited=Stamp(5, PHONE)),
        Marks(Extras(Reply(b"m" * 16, b"a" * 20, b"h" * 32), (Mention(b"a" * 20, 0, 1),), 3, 60)),
    ],
)
def test_what_is_stored_beside_a_text_comes_back(marks: Marks) -> None:
    assert decode_marks(encode_marks(marks)) == marks


def test_a_plain_text_costs_nothing_and_damage_is_noticed() -> None:
    assert encode_marks(PLAIN) == b""
    assert decode_signs(encode_signs(("x", "y"))) == ("x", "y")
    for damaged in (b"\x90", b"\x92\xc0\xc0", b"junk"):
        with pytest.raises(MalformedError):
            decode_marks(damaged)
        with pytest.raises(MalformedError):
            decode_signs(b"\x91\xc0" + damaged)
