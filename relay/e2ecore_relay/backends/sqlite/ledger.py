"""The ledger of the embedded backend: all tables on one connection."""

from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S
from e2ecore_relay.backends.sqlite.accounts import SqliteAccounts
from e2ecore_relay.backends.sqlite.connection import Connection
from e2ecore_relay.backends.sqlite.key_packages import SqliteKeyPackages
from e2ecore_relay.backends.sqlite.logs import SqliteLogs


class SqliteLedger:
    """See ports.Ledger. Whoever owns the connection begins and ends the transaction."""

    def __init__(self, connection: Connection) -> None:
        """Work on one connection."""
        self.connection = connection
        self.accounts = SqliteAccounts(connection)
        self.key_packages = SqliteKeyPackages(connection)
        self.logs = SqliteLogs(connection, MAX_ENVELOPE_LIFETIME_S * 1000)
