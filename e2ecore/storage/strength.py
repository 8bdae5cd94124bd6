"""How hard a passphrase is to guess, as ``zxcvbn`` estimates it: advice, and a floor."""

import importlib
from typing import Final, NamedTuple, Protocol, cast

from e2ecore.storage.errors import WeakPassphraseError

MIN_LOG10_GUESSES: Final = 6.0
"""A new passphrase must take a million guesses: more than a day for the Argon2id of this store on
one core, and only against who has the files. Advice is given below a hundred times as many."""
GOOD_LOG10_GUESSES: Final = 8.0
_LOOKED_AT: Final = 72
"""Characters that are looked at; the estimate takes time with the square of their number, and what
is strong at this length is not weaker when it is longer."""


class PassphraseStrength(NamedTuple):
    """What can be said of a passphrase without knowing whose it is."""

    log10_guesses: float
    """Decimal logarithm of how many guesses a knowing attacker needs."""
    is_accepted: bool
    """Would it be taken for a new database?"""
    is_good: bool
    """Is there nothing to be said against it?"""
    advice: tuple[str, ...]
    """English sentences on how to choose a better one; empty for a good one."""


class _Estimate(Protocol):
    def __call__(self, password: str, /) -> dict[str, object]: ...


def passphrase_strength(passphrase: str) -> PassphraseStrength:
    """Estimate how hard a passphrase is to guess. A few milliseconds; the first time 0.1 s."""
    if not passphrase:
        return PassphraseStrength(0.0, is_accepted=False, is_good=False, advice=())
    estimate = cast("_Estimate", importlib.import_module("zxcvbn").zxcvbn)
    found = estimate(passphrase[:_LOOKED_AT])
    guesses = float(str(found["guesses_log10"]))
    feedback = cast("dict[str, object]", found["feedback"])
    told = (feedback.get("warning"), *cast("list[object]", feedback.get("suggestions") or []))
    is_good = guesses >= GOOD_LOG10_GUESSES
    advice = () if is_good else tuple(str(one) for one in told if one)
    return PassphraseStrength(guesses, guesses >= MIN_LOG10_GUESSES, is_good, advice)


def check_passphrase(passphrase: str) -> None:
    """Refuse what is too easy to guess.

    Raises:
        WeakPassphraseError: It takes fewer than a million guesses.
    """
    if not passphrase_strength(passphrase).is_accepted:
        raise WeakPassphraseError
