"""The code that the existing device shows: where to meet, a secret, and a digit to catch slips.

Spec: protocol/spec/70-linking.md, [LNK-10]
"""

from dataclasses import dataclass, field
from typing import Final, Self

from e2ecore.crypto.rng import Rng
from e2ecore.errors import UsageError
from e2ecore_protocol.limits import LINK_CODE_DIGITS, RENDEZVOUS_NUMBERS

QR_PREFIX: Final = "E2E-LINK:"
"""What a QR code holds before the digits."""
_NUMBER_DIGITS: Final = 5
_SECRET_DIGITS: Final = LINK_CODE_DIGITS - _NUMBER_DIGITS - 1
_SECRETS: Final = 10**_SECRET_DIGITS
_GROUP: Final = 4
_BASE: Final = 10
_MODULUS: Final = 11


class BadLinkCodeError(UsageError):
    """This is not a code for linking a device. Read it off the other device once more."""


def check_digit(digits: str) -> str:
    """Return the digit that belongs behind others, by ISO/IEC 7064 MOD 11,10."""
    product = _BASE
    for digit in digits:
        total = (int(digit) + product) % _BASE or _BASE
        product = total * 2 % _MODULUS
    return str((_MODULUS - product) % _BASE)


@dataclass(frozen=True, slots=True)
class LinkCode:
    """One code. It is of use for a few minutes, and once."""

    number: int
    """Of the rendezvous."""
    secret: str = field(repr=False)
    """Six digits that only the two devices know."""

    @classmethod
    def draw(cls, number: int, rng: Rng) -> Self:
        """Make the code of a rendezvous."""
        # 2**64 is so much larger than a million that no digit is likelier than another
        return cls(number, f"{int.from_bytes(rng(8)) % _SECRETS:0{_SECRET_DIGITS}}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person typed, or what a QR code holds.

        Raises:
            BadLinkCodeError: It is no code, or one with a slip.
        """
        digits = text.strip().removeprefix(QR_PREFIX)
        digits = "".join(one for one in digits if one not in " -\u3000\u00a0")
        if len(digits) != LINK_CODE_DIGITS or not (digits.isascii() and digits.isdigit()):
            raise BadLinkCodeError(f"a code has {LINK_CODE_DIGITS} digits")
        if check_digit(digits[:-1]) != digits[-1]:
            raise BadLinkCodeError("a digit is wrong")
        return cls(int(digits[:_NUMBER_DIGITS]), digits[_NUMBER_DIGITS:-1])

    @property
    def digits(self) -> str:
        """All digits, without spaces."""
        if not 0 <= self.number < RENDEZVOUS_NUMBERS:
            raise BadLinkCodeError("no number of a rendezvous")
        first = f"{self.number:0{_NUMBER_DIGITS}}{self.secret}"
        return first + check_digit(first)

    @property
    def text(self) -> str:
        """What a person reads off: groups of four digits."""
        digits = self.digits
        return " ".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))

    @property
    def qr(self) -> str:
        """What a QR code is to hold."""
        return QR_PREFIX + self.digits
