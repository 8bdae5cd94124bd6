"""What is stored of a person, for scripts and for people."""

from typing import Final

import e2ecore
from cli_demo.text import stamp, visible

_LABELS: Final = {
    "handle": "handle",
    "display_name": "name",
    "account": "account",
    "device": "device",
    "created_ms": "keys made",
    "contacts": "contacts",
    "conversations": "conversations",
}


def fields_of(profile: e2ecore.OwnProfile) -> dict[str, object]:
    """What is stored of a person, as scripts see it."""
    return {
        "handle": profile.handle,
        "display_name": profile.display_name,
        "account": profile.account_id,
        "device": profile.device_id,
        "created_ms": profile.created_ms,
        "contacts": profile.contacts,
        "conversations": profile.conversations,
    }


def lines_of(profile: e2ecore.OwnProfile) -> list[str]:
    """The same, for people."""
    found = []
    for name, value in fields_of(profile).items():
        said = stamp(value) if name == "created_ms" and isinstance(value, int) else value
        found.append(f"{_LABELS[name]:<15}{'-' if said is None else visible(str(said))}")
    return found
