"""Where a group is kept: many small rows, never one blob.

A row is named by ``(kind, epoch, index)``. One application message changes exactly one row (its
sender's ratchet). One commit changes the rows of the nodes it touched, plus a handful.
``Rows`` lies over the caller's store: reads fall through to it, writes collect in memory until
``take_changes`` hands them over to be stored in the caller's transaction.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

RowKey = tuple[int, int, int]
"""(kind, epoch, index). Epoch is 0 for rows that do not belong to one epoch."""

GROUP: Final = 1
"""(GROUP, 0, 0): what never changes: format version, suite, group id, own leaf index."""
EPOCH: Final = 2
"""(EPOCH, 0, 0): the secrets and hashes of the current epoch."""
CONTEXT: Final = 3
"""(CONTEXT, epoch, 0): the encoded GroupContext of the current or a past epoch."""
NODE: Final = 4
"""(NODE, 0, node index): a public node of the ratchet tree; no row means blank."""
NODE_KEY: Final = 5
"""(NODE_KEY, 0, node index): the private key of a node on our own direct path."""
SECRET_NODE: Final = 6
"""(SECRET_NODE, epoch, node index): an unconsumed secret of the secret tree."""
RATCHET: Final = 7
"""(RATCHET, epoch, 2 * leaf index + (1 if application)): one sender's ratchet, 40 to 297 bytes."""
PROPOSAL: Final = 8
"""(PROPOSAL, epoch, number): a proposal of this epoch that a commit may refer to."""
PAST_EPOCH: Final = 9
"""(PAST_EPOCH, epoch, 0): what is kept of an epoch after its end."""
PAST_LEAF: Final = 10
"""(PAST_LEAF, epoch, leaf index): who sat there in that epoch, if the next one differs."""
RESUMPTION: Final = 11
"""(RESUMPTION, epoch, 0): the resumption key of a past epoch; outlives the rest of that epoch."""

_OF_ONE_EPOCH: Final = frozenset({CONTEXT, SECRET_NODE, RATCHET, PROPOSAL, PAST_EPOCH, PAST_LEAF})

_NOT_CACHED: Final = NODE
"""The one kind of which this overlay does not remember what was written: the tree has a mirror."""


class RowSource(Protocol):
    """The store below: one group's rows, as last committed or written in this transaction."""

    def get(self, key: RowKey, /) -> bytes | None:
        """Return one row's value, or None if there is no such row."""
        ...

    def scan(self, kind: int, epoch: int, /) -> Iterable[tuple[RowKey, bytes]]:
        """Return every row of one kind and epoch, in order of index."""
        ...


class Rows:
    """Unsaved and cached rows over a ``RowSource``."""

    __slots__ = ("_cache", "_changes", "_source")

    def __init__(self, source: RowSource | None = None) -> None:
        self._source = source
        self._cache: dict[RowKey, bytes | None] = {}
        self._changes: dict[RowKey, bytes | None] = {}

    def get(self, key: RowKey) -> bytes | None:
        """Return the newest value, stored or not yet stored."""
        if key in self._changes:
            return self._changes[key]
        if key in self._cache:
            return self._cache[key]
        return self._source.get(key) if self._source is not None else None

    def put(self, key: RowKey, value: bytes) -> None:
        """Write one row that is no node."""
        self._changes[key] = self._cache[key] = value

    def put_nodes(self, nodes: Mapping[int, bytes | None]) -> None:
        """Write public nodes by node index; those that are None are removed."""
        self._changes.update({(NODE, 0, index): node for index, node in nodes.items()})

    def delete(self, key: RowKey) -> None:
        """Remove one row, if it is there."""
        self._changes[key] = None
        if key[0] != _NOT_CACHED:
            self._cache[key] = None

    def scan(self, kind: int, epoch: int) -> list[tuple[RowKey, bytes]]:
        """Return every row of one kind and epoch, in order of index, unsaved changes included."""
        found: dict[RowKey, bytes | None] = {}
        if self._source is not None:
            found.update(self._source.scan(kind, epoch))
        for layer in (self._cache, self._changes):
            found.update({k: v for k, v in layer.items() if k[0] == kind and k[1] == epoch})
        return sorted((key, value) for key, value in found.items() if value is not None)

    def delete_epoch(self, epoch: int) -> None:
        """Remove everything that belongs to one epoch, also from memory."""
        known = self._cache.keys() | self._changes.keys()
        gone = {key for key in known if key[1] == epoch and key[0] in _OF_ONE_EPOCH}
        if self._source is not None:
            for kind in _OF_ONE_EPOCH:
                gone.update(key for key, _ in self._source.scan(kind, epoch))
        for key in gone:
            self._changes[key] = None
            self._cache.pop(key, None)

    def take_changes(self) -> dict[RowKey, bytes | None]:
        """Return the rows to write (None: to delete) since the last call, and forget them.

        The caller stores them before anything computed from them leaves the device.
        """
        changes, self._changes = self._changes, {}
        return changes


class MemoryRows:
    """A ``RowSource`` in a dictionary, for groups that live in memory only."""

    def __init__(self) -> None:
        self.rows: dict[RowKey, bytes] = {}

    def get(self, key: RowKey, /) -> bytes | None:
        """Return one row's value, or None if there is no such row."""
        return self.rows.get(key)

    def scan(self, kind: int, epoch: int, /) -> list[tuple[RowKey, bytes]]:
        """Return every row of one kind and epoch, in order of index."""
        return sorted(item for item in self.rows.items() if item[0][:2] == (kind, epoch))

    def store(self, changes: dict[RowKey, bytes | None]) -> None:
        """Write what ``take_changes`` returned."""
        for key, value in changes.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
