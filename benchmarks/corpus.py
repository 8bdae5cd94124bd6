"""Seeded messages of mixed Chinese and English: as many as wanted, the same for everybody.

Words are made up, their frequencies are not: ranks follow Zipf's law in both languages, Chinese
words have one to four characters out of 3,500, lengths are log-normal with a mean of about 200
bytes. So characters, pairs of characters, words and conversations are as unequal as in real life,
which is what an index feels. There is no sense in any sentence.
"""

from __future__ import annotations

import random  # noqa: TID251 - repeatable texts, not keys
import re
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.messages import MessageRow, message_row_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")

CONVERSATIONS: Final = 500
SENDERS: Final = 400
FIRST_MS: Final = 1_700_000_000_000
STEP_MS: Final = 40_000
"""Between two messages: a million in a year and a quarter."""
CHINESE_WORDS: Final = 30_000
ENGLISH_WORDS: Final = 20_000
CHARACTERS: Final = 3_500
MEDIAN_CHARACTERS: Final = 52
"""Of a Chinese text."""
_SPREAD: Final = 0.8
_LONGEST: Final = 1_000
_SHORT: Final = 0.1
_ENGLISH: Final = 0.18
_MIXED: Final = 0.20
_WITH_NUMBER: Final = 0.10
_WITH_EMOJI: Final = 0.05
_COMMA: Final = "\uff0c"
_STOP: Final = "\u3002"
_COMMAS: Final = 0.7
_DRAWS: Final = 1 << 16
_SYLLABLES: Final = re.findall(
    r"\w+",
    """ba be bi bo ca ce co con com da de di dis do ed en er es ex fa fi for ga ge ha he hi in ing
    ion is it la le li lo ly ma me ment mi mo na ne ni no ness of on or ous pa pe per po pre pro ra
    re ri ro sa se si so st su ta te ter th the ti tion to tra tri un ur us ver vi wa we wi""",
)
_EMOJI: Final = "😀😂👍🙏❤🎉😭🤔👌🔥"


class Urn(Generic[T]):
    """Things, some more often than others, drawn by the thousand because that is much faster."""

    def __init__(self, dice: random.Random, things: Sequence[T], weights: Sequence[float]) -> None:
        self.things: Final = things
        self._dice, self._weights = dice, weights
        self._drawn: list[T] = []

    def draw(self, count: int) -> list[T]:
        """Return `count` things."""
        if len(self._drawn) < count:
            more = max(count, _DRAWS)
            self._drawn += self._dice.choices(self.things, cum_weights=self._weights, k=more)
        drawn = self._drawn[-count:]
        del self._drawn[-count:]
        return drawn


def _zipf(count: int, exponent: float = 1.0, shift: float = 2.7) -> list[float]:
    return list(accumulate(1 / (rank + shift) ** exponent for rank in range(count)))


class Corpus:
    """An endless supply of messages: of one seed, always the same ones."""

    def __init__(self, seed: int = 1) -> None:
        self._dice = dice = random.Random(seed)  # noqa: S311
        letters = [chr(0x4E00 + number) for number in dice.sample(range(20_000), CHARACTERS)]
        characters = Urn(dice, letters, _zipf(CHARACTERS, 0.9, 10))
        lengths = dice.choices((1, 2, 3, 4), (8, 70, 12, 10), k=2 * CHINESE_WORDS)
        chinese = list(dict.fromkeys("".join(characters.draw(size)) for size in lengths))
        lengths = dice.choices((1, 2, 3, 4), (10, 45, 35, 10), k=2 * ENGLISH_WORDS)
        english = list(dict.fromkeys("".join(dice.choices(_SYLLABLES, k=size)) for size in lengths))
        short = sorted(english[:400], key=len)[:100]
        english = list(dict.fromkeys((*short, *english)))
        self.chinese: Final = self._words(chinese[:CHINESE_WORDS])
        self.english: Final = self._words(english[:ENGLISH_WORDS])
        self._cids = Urn(dice, range(1, CONVERSATIONS + 1), _zipf(CONVERSATIONS))
        self._senders = Urn(dice, range(SENDERS), _zipf(SENDERS, 0.8))
        sizes = [dice.lognormvariate(0, _SPREAD) * MEDIAN_CHARACTERS for _ in range(_DRAWS)]
        self._sizes = Urn(dice, sizes, range(1, _DRAWS + 1))

    def _words(self, words: list[str]) -> Urn[str]:
        return Urn(self._dice, words, _zipf(len(words)))

    def text(self) -> str:
        """Return the next text."""
        dice, kind = self._dice, self._dice.random()
        size = min(_LONGEST, self._sizes.draw(1)[0])
        if dice.random() < _SHORT:
            size = 1 + 4 * dice.random()
        if kind < _ENGLISH:
            return self._english(size)
        if kind < _ENGLISH + _MIXED:
            return f"{self._chinese(size * 0.6)} {self._english(size * 0.6)}{self._chinese(3)}"
        number = str(dice.randint(1, 99_999)) if kind > 1 - _WITH_NUMBER else ""
        emoji = dice.choice(_EMOJI) if kind > 1 - _WITH_EMOJI else ""
        return self._chinese(size) + number + emoji

    def _chinese(self, size: float) -> str:
        words = self.chinese.draw(max(1, round(size / 2.1)))
        for at in range(6, len(words), 8):
            words[at] += _COMMA if self._dice.random() < _COMMAS else _STOP
        return "".join(words)

    def _english(self, size: float) -> str:
        words = self.english.draw(max(1, round(size / 2.6)))
        words[0] = words[0].capitalize()
        return " ".join(words) + self._dice.choice(("", ".", "!", "?"))

    def messages(self, count: int, first_mid: int = 1) -> Iterator[MessageRow]:
        """Yield messages of many conversations in the order of their arrival."""
        orders = [LIVE_ORDER] * (CONVERSATIONS + 1)
        for mid in range(first_mid, first_mid + count):
            cid, who = self._cids.draw(1)[0], self._senders.draw(1)[0]
            order = orders[cid]
            orders[cid] += 1
            sent_ms = FIRST_MS + mid * STEP_MS
            yield MessageRow(
                message_row_id(cid, order), mid, mid.to_bytes(16, "big"), account(who),
                who.to_bytes(16, "big"), order - LIVE_ORDER + 1, mid, sent_ms, sent_ms + 500, 1, 0,
                self.text(), b"",
            )  # fmt: skip


def account(number: int) -> bytes:
    """Return the account id of a sender."""
    return number.to_bytes(8, "little") + bytes(12)
