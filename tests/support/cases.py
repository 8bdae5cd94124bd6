"""Typed access to the JSON of published test vectors."""

from dataclasses import dataclass
from typing import cast

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import P521_AES256, CipherSuite
from tests.support.vectors import load


@dataclass(frozen=True)
class Case:
    """One JSON object of a vector file."""

    fields: dict[str, object]

    def number(self, name: str) -> int:
        value = self.fields[name]
        assert isinstance(value, int)
        return value

    def text(self, name: str) -> str:
        value = self.fields[name]
        assert isinstance(value, str)
        return value

    def hex(self, name: str) -> bytes:
        return bytes.fromhex(self.text(name))

    def maybe_hex(self, name: str) -> bytes | None:
        return self.hex(name) if self.fields.get(name) else None

    def hexes(self, name: str) -> list[bytes]:
        return [bytes.fromhex(item) for item in cast("list[str]", self.fields[name])]

    def one(self, name: str) -> "Case":
        return Case(cast("dict[str, object]", self.fields[name]))

    def private(self, name: str, suite: CipherSuite) -> bytes:
        """A private key. The publishers leave out the leading zeros of P-521 scalars."""
        raw = self.hex(name)
        return raw.rjust(66, b"\0") if suite is P521_AES256 else raw

    def signing_key(self, name: str, suite: CipherSuite) -> SigningKey:
        return suite.signature.load(self.private(name, suite))

    def hpke_key(self, name: str, suite: CipherSuite) -> HpkePrivateKey:
        return HpkePrivateKey(self.private(name, suite))

    def many(self, name: str) -> list["Case"]:
        return [Case(item) for item in cast("list[dict[str, object]]", self.fields[name])]

    def tables(self, name: str) -> list[list["Case"]]:
        rows = cast("list[list[dict[str, object]]]", self.fields[name])
        return [[Case(item) for item in row] for row in rows]


def cases(name: str) -> list[Case]:
    """Return every case of one vector file."""
    return [Case(item) for item in cast("list[dict[str, object]]", load(name))]
