"""Where things are by default, and which relay a database belongs to."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_data_path, user_downloads_path

DEFAULT_RELAY: Final = "wss://127.0.0.1:7443"
"""What ``e2e relay`` listens on when nothing else is said."""


def default_database() -> Path:
    """The database of a user who has only one."""
    return user_data_path("e2ecore") / "history.db"


def default_relay_data() -> Path:
    """The data directory of a relay started with ``e2e relay``."""
    return user_data_path("e2ecore-relay")


def default_downloads() -> Path:
    """Where files go that are fetched in the chat."""
    return user_downloads_path()


@dataclass(frozen=True, slots=True)
class RelayPlace:
    """How to reach the relay of one account."""

    url: str
    ca: Path | None
    """A certificate authority to trust besides the system's; None for public relays."""


def _note(db: Path) -> Path:
    return db.with_name(db.name + ".relay.json")


def remember_relay(db: Path, place: RelayPlace) -> None:
    """Write the relay's address beside the database, so that it is said only once."""
    text = json.dumps({"url": place.url, "ca": str(place.ca.absolute()) if place.ca else None})
    note = _note(db)
    draft = note.with_name(note.name + ".new")
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(note)


def relay_of(db: Path, url: str | None, ca: Path | None) -> RelayPlace:
    """The relay to use: what was said now, else what was said at registration, else the default."""
    noted = _read_note(db)
    if url is None and noted is not None:
        return RelayPlace(noted.url, ca or noted.ca)
    chosen = url or DEFAULT_RELAY
    if ca is None and noted is not None and noted.url == chosen:
        ca = noted.ca
    return RelayPlace(chosen, ca or _own_ca(chosen))


def _read_note(db: Path) -> RelayPlace | None:
    try:
        content = json.loads(_note(db).read_text(encoding="utf-8"))
        ca = content["ca"]
        return RelayPlace(str(content["url"]), Path(ca) if ca else None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _own_ca(url: str) -> Path | None:
    """The certificate authority that a relay on this machine made for itself."""
    host = url.split("//", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0]
    ca = default_relay_data() / "development-ca.pem"
    return ca if host in {"127.0.0.1", "localhost", "[::1]"} and os.access(ca, os.R_OK) else None
