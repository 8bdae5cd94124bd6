"""What binds an answer to the words that it answers."""

import hashlib

from e2ecore_protocol.codec import pack
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
