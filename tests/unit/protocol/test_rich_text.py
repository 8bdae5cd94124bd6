"""What binds an answer to the words that it answers."""

import hashlib
from dataclasses import replace

from e2ecore_protocol.codec import pack
from e2ecore_protocol.content import ContactCard, Poll, quotes
from e2ecore_protocol.content.rich_text import quote_digest

MESSAGE_ID, AUTHOR = b"m" * 16, b"a" * 20


def test_a_quote_is_named_by_its_message_its_author_and_its_very_words() -> None:
    expected = hashlib.sha256(b"e2ecore quote v1" + pack((MESSAGE_ID, AUTHOR, "yes"))).digest()
    assert quote_digest(MESSAGE_ID, AUTHOR, "yes") == expected
    others = {
        quote_digest(b"n" * 16, AUTHOR, "yes"),
        quote_digest(MESSAGE_ID, b"b" * 20, "yes"),
        quote_digest(MESSAGE_ID, AUTHOR, "yes "),
    }
    assert len(others | {expected}) == 4


def test_what_an_answer_binds_of_other_kinds_is_never_mistaken_for_words() -> None:
    card = ContactCard(MESSAGE_ID, 1, AUTHOR, "carol", "")
    poll = Poll(MESSAGE_ID, 1, "Where to?", ("home", "up"), 1, None)
    said = [
        quotes.card_said(card),
        quotes.card_said(replace(card, account_id=b"b" * 20)),
        quotes.poll_said(poll),
        quotes.poll_said(replace(poll, options=("up", "home"))),
        quotes.files_said("", [b"d" * 32]),
        quotes.files_said("", [b"e" * 32]),
        "Where to?",
    ]
    assert len({quote_digest(MESSAGE_ID, AUTHOR, one) for one in said}) == len(said)
    assert said[2] == ("Where to?", ("home", "up"), 1, None)
