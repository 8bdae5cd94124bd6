"""What a person has arranged for themselves about a conversation: fields of its first line.

Every field may be missing: older exports have none of them.
"""

from collections.abc import Mapping
from typing import Final

from e2ecore.portability.lines import Json
from e2ecore.portability.manifest import hex_field, int_field, text_field
from e2ecore.portability.records import MAX_TEXT_BYTES, Begun, Belongings, scalar

_ID_BYTES: Final = 16


def fields_of(kept: Belongings) -> dict[str, object]:
    """Return the fields of what is not as in most conversations."""
    found: dict[str, object] = {}
    if kept.begun is not None:
        found["draft"] = {"text": kept.begun.text, "at_ms": kept.begun.at_ms} | (
            {"reply": kept.begun.reply.hex()} if kept.begun.reply else {}
        )
    numbers = {
        "pinned_ms": kept.pinned_ms or None,
        "muted_until_ms": kept.muted_ms or None,
        "archived": kept.is_archived or None,
        "keep_ms": kept.keep_ms,
        "lifetime_s": kept.lifetime_s,
        "keeps_earlier_texts": kept.keeps_earlier,
    }
    return found | {name: value for name, value in numbers.items() if value is not None}


def belongings_of(fields: Mapping[str, Json]) -> Belongings:
    """Return what the first line of a conversation says.

    Raises:
        KeyError: A field is missing in another one.
        TypeError: A field is something else.
        ValueError: A field cannot be what it says.
    """
    return Belongings(
        _begun(fields.get("draft")),
        _number(fields, "pinned_ms") or 0,
        _number(fields, "muted_until_ms") or 0,
        _answer(fields, "archived") or False,
        _number(fields, "keep_ms"),
        _number(fields, "lifetime_s"),
        _answer(fields, "keeps_earlier_texts"),
    )


def _begun(found: Json) -> Begun | None:
    if found is None:
        return None
    if not isinstance(found, dict):
        raise TypeError
    text = scalar(text_field(found, "text"))
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ValueError
    reply = hex_field(found, "reply", _ID_BYTES) if "reply" in found else b""
    return Begun(text, int_field(found, "at_ms"), reply)


def _number(fields: Mapping[str, Json], name: str) -> int | None:
    return int_field(fields, name) if name in fields else None


def _answer(fields: Mapping[str, Json], name: str) -> bool | None:
    found = fields.get(name)
    if found is not None and not isinstance(found, bool):
        raise TypeError
    return found
