"""From a text to the tokens that its index entry has, and from what a person types to a question.

Texts are compared in a normal form: Unicode NFKC and case folding, so that wide and narrow, large
and small letters are one. A *term* is a piece of the typed text without white space. A message is
found if each term occurs in its normal form, anywhere; but a term that begins with a letter or a
digit of a script that puts spaces between words must occur where a word or a number begins. So
``find`` finds "finding" and not "refinding"; two Chinese characters are found wherever they follow
each other.

What is indexed, so that this can be answered without reading the texts:

- of scripts written without spaces (Chinese, Japanese, Thai ...) and of Korean: every character,
  and every pair of neighbours;
- of all other scripts: the first one, two and three characters of each word and of each number,
  and the whole if it is longer (its first 24 characters);
- of everything else that is not white space (emoji, punctuation): every character;
- the conversation that it belongs to.

A question is then "has all of these tokens". Where that is not yet the answer, candidates are
compared with the term itself (``Query.matches``). No token has an ASCII character other than a-z
and 0-9, so nothing that a person types is ever an operator of the index.
"""

import re
import sys
import unicodedata
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from e2ecore.errors import UsageError

VERSION: Final = 1
"""Changes with every change of what is indexed: an index of another version is built anew."""
MAX_QUERY_CHARACTERS: Final = 256
"""Of a typed text. A person types less."""
MAX_ASKED: Final = 32
"""Tokens that the index is asked for at once; of longer questions the rest is compared."""
PREFIX_CHARACTERS: Final = 3
"""Beginnings of words that are tokens of their own. Longer ones are few enough to be merged."""
WORD_CHARACTERS: Final = 24
"""What is kept of a longer word: bounds what hostile texts can put into the index."""

PAIR: Final = 2
"""Characters of the longest token of a script without spaces."""

_UTF_32: Final = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
_SPACE: Final = ord(" ")
_LAID: Final = 5
"""Numbers that ``_dense_tokens`` lays out for each character."""
_DENSE: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3021-\u3029\u3031-\u3035"
    "\u3038-\u303c\u3040-\u30ff\u3100-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff65-\uffdc\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, Korean, Kana, Bopomofo, Han: every character counts as a word."""
_DENSE_RUN: Final = re.compile(f"[{_DENSE}]+")
_DENSE_PARTS: Final = re.compile(f"([{_DENSE}]+)")
"""Splits a text: every second piece is dense."""
_WORD: Final = re.compile(rf"[^\W\d_{_DENSE}]+|[^\D{_DENSE}]+")
_LETTER: Final = re.compile(rf"[^\W\d_{_DENSE}]")
_DIGIT: Final = re.compile(rf"[^\D{_DENSE}]")
_SYMBOL: Final = re.compile(r"[^\w\s]|_")
_PART: Final = re.compile(f"[{_DENSE}]+|{_WORD.pattern}|{_SYMBOL.pattern}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ONLY_HAN: Final = re.compile("[\u4e00-\u9fff]+")

_ASCII_SYMBOLS: Final = {number: chr(0xE000 + number) for number in range(128)}
"""The index knows no ASCII but letters and digits: others stand in it as private characters."""
_WIDE: Final = tuple(
    (one, unicodedata.normalize("NFKC", one))
    for one in "\uff0c\uff01\uff1f\uff1a\uff1b\uff08\uff09"
)
_CONVERSATION: Final = "\uf8f0"
Fold = Mapping[int, str]
"""Characters to be taken for others, as for ``str.translate``; idempotent."""
NO_FOLD: Final[Fold] = {}


class SearchTextError(UsageError):
    """A search text has at most 256 characters. Search for less."""


def normal(text: str, fold: Fold = NO_FOLD) -> str:
    """Return the normal form in which texts are compared."""
    if text.isascii():
        return text.lower()
    text = _nfkc(_nfkc(text).casefold())
    return text.translate(fold) if fold else text


def _nfkc(text: str) -> str:
    if unicodedata.is_normalized("NFKC", text):
        return text
    for wide, narrow in _WIDE:  # nearly always all that there is to do, and ten times faster
        text = text.replace(wide, narrow)
    return unicodedata.normalize("NFKC", text)


def conversation_token(cid: int) -> str:
    """Return the token that all messages of a conversation have."""
    return f"{_CONVERSATION}{cid}"


def tokens(text: str) -> str:
    """Return the tokens of a text in its normal form, spaces between them, some more than once."""
    parts: list[str] = _DENSE_PARTS.split(text)
    found = [_dense_tokens(" ".join(parts[1::2]))] if len(parts) > 1 else []
    rest = " ".join(parts[::2])
    for word in _WORD.findall(rest):
        found += (word[:1], word[:2], word[:PREFIX_CHARACTERS], word[:WORD_CHARACTERS])
    found += map(_symbol_token, _SYMBOL.findall(rest))
    return " ".join(found)


def _dense_tokens(runs: str) -> str:
    """Return every character, and every pair of neighbours, of runs with spaces between them.

    It lays them out as numbers: strings of one and two characters would take three times as long.
    """
    each = array("I", runs.encode(_UTF_32))
    laid = array("I", (_SPACE,)) * (_LAID * len(each))
    laid[0::_LAID] = each  # x, space, x, its neighbour, space
    laid[2::_LAID] = each
    each.append(_SPACE)
    laid[3::_LAID] = each[1:]
    return laid.tobytes().decode(_UTF_32)


def _symbol_token(character: str) -> str:
    return _ASCII_SYMBOLS.get(ord(character), character)


def _kind(character: str) -> int:
    """Tell letters and digits of words from each other and from everything else."""
    if _LETTER.match(character):
        return 1
    return 2 if _DIGIT.match(character) else 0


def occurs(term: str, text: str) -> int:
    """Return where a term occurs in a text, both in normal form; -1: nowhere that counts."""
    at = text.find(term)
    kind = _kind(term[0])
    if not kind:
        return at
    while at > 0 and _kind(text[at - 1]) == kind:
        at = text.find(term, at + 1)
    return at


@dataclass(frozen=True, slots=True)
class Query:
    """What a person typed, ready to be asked."""

    terms: tuple[str, ...]
    """In normal form, each once; every one must occur. None: nothing was typed."""
    tokens: tuple[str, ...]
    """The same for the index: what a message that has them all must have, as FTS5 writes it."""
    is_exact: bool
    """Has the index the whole answer? If not, every candidate is compared."""
    is_plain: bool
    """Are there only Han characters, which the normal form leaves as they are?"""
    fold: Fold

    @property
    def match(self) -> str:
        """What the index is asked if it is asked for everything."""
        return " AND ".join(self.tokens)

    def matches(self, body: str) -> bool:
        """Answer whether a text as it was written has all terms."""
        if self.is_plain:
            for term in self.terms:
                if term not in body:
                    break
            else:
                return True
        text = normal(body, self.fold)
        return all(occurs(term, text) >= 0 for term in self.terms)


def parse(text: str, fold: Fold = NO_FOLD, restrict: Sequence[str] = ()) -> Query:
    """Return the question that a typed text asks. No text of that length is refused.

    Args:
        text: As typed; nothing in it is an operator.
        fold: As the index was made with.
        restrict: Tokens that a message must have as well.

    Raises:
        SearchTextError: It is longer than anything that people look for.
    """
    if len(text) > MAX_QUERY_CHARACTERS:
        raise SearchTextError
    terms = tuple(dict.fromkeys(normal(text, fold).split()))
    if _SURROGATE.search(text):
        terms = ()  # no stored text has one, so nothing can be found
    wanted: dict[str, None] = dict.fromkeys(f'"{one}"' for one in restrict)
    is_exact = True
    for term in terms:
        parts = _PART.findall(term)
        is_exact = is_exact and len(parts) == 1 and _is_answer(parts[0])
        for part in parts:
            wanted.update(dict.fromkeys(_asked(part)))
    asked = tuple(wanted)[:MAX_ASKED]
    is_exact = is_exact and len(asked) == len(wanted)
    is_plain = all(map(_ONLY_HAN.fullmatch, terms))
    return Query(terms, asked, is_exact, is_plain, fold)


def _is_answer(part: str) -> bool:
    """Is having the tokens of this part the same as having the part?"""
    if _DENSE_RUN.match(part):
        return len(part) <= PAIR
    return bool(_WORD.match(part)) and len(part) < WORD_CHARACTERS


def _asked(part: str) -> list[str]:
    """Return what a message must have in the index if it has this part of a term."""
    if _DENSE_RUN.match(part):
        pairs = [f'"{part[at : at + PAIR]}"' for at in range(len(part) - 1)]
        return pairs or [f'"{part}"']
    if not _WORD.match(part):
        return [f'"{_symbol_token(part)}"']
    if PREFIX_CHARACTERS < len(part) < WORD_CHARACTERS:
        return [f'"{part}"*']
    return [f'"{part[:WORD_CHARACTERS]}"']
