"""JSON lines between the storyteller and the devices, read with types."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


class BadLineError(Exception):
    """A line is not what the two sides agreed on."""


@dataclass(frozen=True, slots=True)
class Values:
    """One JSON object. Asking for a field of the wrong type raises ``BadLineError``."""

    fields: Mapping[str, object]

    @classmethod
    def decode(cls, line: str | bytes) -> Self:
        """Read one line."""
        try:
            fields = json.loads(line)
        except ValueError:
            raise BadLineError(f"not JSON: {line[:80]!r}") from None
        if not isinstance(fields, dict):
            raise BadLineError("not a JSON object")
        return cls(fields)

    def encode(self) -> bytes:
        """Write one line."""
        return json.dumps(self.fields, separators=(",", ":")).encode() + b"\n"

    def text(self, key: str) -> str:
        """A string."""
        value = self.fields.get(key)
        if not isinstance(value, str):
            raise BadLineError(f"{key} is not a text")
        return value

    def number(self, key: str) -> int:
        """An integer."""
        value = self.fields.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadLineError(f"{key} is not a number")
        return value

    def flag(self, key: str) -> bool:
        """True or false; a missing flag is false."""
        return self.fields.get(key) is True

    def texts(self, key: str) -> list[str]:
        """A list of strings."""
        value = self.fields.get(key)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise BadLineError(f"{key} is not a list of texts")
        return list(value)

    def numbers(self, key: str) -> list[int]:
        """A list of integers."""
        value = self.fields.get(key)
        if not isinstance(value, list) or not all(isinstance(one, int) for one in value):
            raise BadLineError(f"{key} is not a list of numbers")
        return list(value)
