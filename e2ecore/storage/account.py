"""The account table: who we are, with the private keys of this device."""

from enum import IntEnum
from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class AccountState(IntEnum):
    """How far the registration is."""

    MADE = 1
    REGISTERED = 2
    CLOSED = 3
    LINKING = 4
    """The account is another device's; whether it has this one in its chain is not known yet.

    With an identity key it moves here, and what that device does decides.
    """
    MOVED = 5
    """The account has moved to another device, and its identity key with it. History stays."""


class AccountRow(NamedTuple):
    """The row of ``account``."""

    account_id: bytes
    device_id: bytes
    identity_key: bytes
    device_key: bytes
    handle: str
    display_name: str
    relay: str
    state: int
    created_ms: int

    def __repr__(self) -> str:
        return f"<AccountRow {self.account_id.hex()}, keys hidden>"


_SELECT: Final = select("account", AccountRow._fields)
_INSERT: Final = insert("account", ("one", *AccountRow._fields))
_REPLACE: Final = insert("account", ("one", *AccountRow._fields), or_replace=True)


def load(tx: Tx) -> AccountRow | None:
    """Return the account; None before the first registration began."""
    return tx.row(AccountRow._make, _SELECT)


def create(tx: Tx, row: AccountRow) -> None:
    """Store fresh keys, before anybody else hears of them.

    Raises:
        ConstraintError: There is an account already.
    """
    tx.execute(_INSERT, (1, *row))


def remove(tx: Tx) -> None:
    """Forget keys that no account ever got to know."""
    tx.execute("DELETE FROM account")


def replace(tx: Tx, row: AccountRow) -> None:
    """Store changed fields, such as a confirmed handle or another display name."""
    tx.execute(_REPLACE, (1, *row))
