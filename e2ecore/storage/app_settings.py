"""Settings that an app lets all devices of the account know."""

from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class AppSettingRow(NamedTuple):
    """A row of ``app_settings``."""

    name: str
    value: bytes


_SELECT: Final = select("app_settings", AppSettingRow._fields)
_SAVE: Final = insert("app_settings", AppSettingRow._fields, or_replace=True)


def get(tx: Tx, name: str) -> bytes | None:
    """Return a value; None: there is none."""
    return tx.value(bytes, "SELECT value FROM app_settings WHERE name = ?", (name,))


def put(tx: Tx, name: str, value: bytes) -> None:
    """Set a value; an empty one: there is none any more."""
    if value:
        tx.execute(_SAVE, (name, value))
    else:
        tx.execute("DELETE FROM app_settings WHERE name = ?", (name,))


def all_rows(tx: Tx) -> list[AppSettingRow]:
    """Return every setting, by name."""
    return tx.rows(AppSettingRow._make, f"{_SELECT} ORDER BY name")
