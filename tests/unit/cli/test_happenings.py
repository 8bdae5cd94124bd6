"""What happens to a conversation is told in words."""

import pytest

import e2ecore
from cli_demo.happenings import sentence

ALICE, BOB, CAROL = (e2ecore.AccountId(bytes([n]) * 20) for n in range(3))
NAMES: dict[bytes, str] = {ALICE: "you", BOB: "bob", CAROL: "carol"}
KINDS = e2ecore.NoticeKind


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        (e2ecore.Notice(KINDS.JOINED, None, (ALICE,)), "you joined"),
        (e2ecore.Notice(KINDS.JOINED, BOB, (ALICE, CAROL)), "bob added you and carol"),
        (e2ecore.Notice(KINDS.LEFT, BOB, (BOB,)), "bob left"),
        (e2ecore.Notice(KINDS.REMOVED, ALICE, (BOB,)), "you removed bob"),
        (e2ecore.Notice(KINDS.ROLE, BOB, (CAROL,), e2ecore.Role.ADMIN), "bob made carol an admin"),
        (e2ecore.Notice(KINDS.TITLE, BOB, title="a\nb"), "bob changed the title to a b"),
        (
            e2ecore.Notice(KINDS.POLICY, BOB, lifetime_s=3600),
            "bob changed the rules: messages erase themselves after 1 h",
        ),
        (e2ecore.Notice(KINDS.POLICY, BOB), "bob changed the rules: messages stay"),
        (e2ecore.Notice(KINDS.EXPIRED, None, count=3), "3 messages expired at the relay, unread"),
    ],
)
def test_a_happening_is_one_sentence(notice: e2ecore.Notice, words: str) -> None:
    assert sentence(notice, NAMES.__getitem__) == words


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_even_if_all_else_is_missing(kind: e2ecore.NoticeKind) -> None:
    assert sentence(e2ecore.Notice(kind, None), NAMES.__getitem__)
