"""Typed access to the JSON of published test vectors."""

from dataclasses import dataclass
from typing import cast

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

    def many(self, name: str) -> list["Case"]:
        return [Case(item) for item in cast("list[dict[str, object]]", self.fields[name])]

    def tables(self, name: str) -> list[list["Case"]]:
        rows = cast("list[list[dict[str, object]]]", self.fields[name])
        return [[Case(item) for item in row] for row in rows]


def cases(name: str, *, suites: tuple[int, ...] = ()) -> list[Case]:
    """Return the cases of one vector file, of these cipher suites only if any are given."""
    found = [Case(item) for item in cast("list[dict[str, object]]", load(name))]
    return [case for case in found if not suites or case.number("cipher_suite") in suites]
