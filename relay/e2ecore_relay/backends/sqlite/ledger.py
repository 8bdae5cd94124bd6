"""The ledger of the embedded backend: all tables on one connection."""

from e2ecore_relay.backends.sqlite.accounts import SqliteAccounts
from e2ecore_relay.backends.sqlite.blob_orders import SqliteOrders
from e2ecore_relay.backends.sqlite.blobs import SqliteBlobs
from e2ecore_relay.backends.sqlite.connection import Connection
from e2ecore_relay.backends.sqlite.guardians import SqliteGuardians
from e2ecore_relay.backends.sqlite.journal import Journal
from e2ecore_relay.backends.sqlite.key_packages import SqliteKeyPackages
from e2ecore_relay.backends.sqlite.logs import SqliteLogs
from e2ecore_relay.backends.sqlite.minor_orders import SqliteMinorOrders


class SqliteLedger:
    """See ports.Ledger. Whoever owns the connection begins and ends the transaction."""

    def __init__(self, connection: Connection, journal: Journal) -> None:
        """Work on one connection.

        Args:
            connection: The connection; if it is not the journal's, only for reading.
            journal: The newest envelopes.
        """
        self.connection = connection
        self.journal = journal
        self.accounts = SqliteAccounts(connection)
        self.key_packages = SqliteKeyPackages(connection)
        self.logs = SqliteLogs(connection, journal)
        self.blobs = SqliteBlobs(connection)
        self.guardians = SqliteGuardians(connection)
        self.orders = SqliteOrders(connection)
        self.minor_orders = SqliteMinorOrders(connection)
