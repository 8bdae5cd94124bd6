"""The secret tree: one key and nonce for each message, deleted when used.

Nothing is derived before it is needed. At first only the root's secret is stored. The first message
of a sender replaces the secrets between root and leaf by those of the siblings beside that path,
and by the leaf's two ratchets. From then on one message changes one row: the sender's ratchet.

Asking for a key changes nothing. ``Step`` holds what using it would change; ``SecretTree.consume``
applies that after the message proved to be genuine.

Generations below a ratchet's head are accepted out of order as long as their keys are kept:
``WINDOW_BACK`` of them. A head moves by at most ``WINDOW_FORWARD`` at once.

Spec: RFC 9420 §9 (Secret Tree)
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple, NoReturn

from e2ecore.crypto.suites import CipherSuite
from e2ecore.errors import CorruptStateError
from e2ecore.mls import rows, tree_math
from e2ecore.mls.errors import (
    DuplicateMessageError,
    GenerationExhaustedError,
    GenerationTooFarError,
    GenerationTooOldError,
)
from e2ecore.mls.labels import expand_with_label, expander, fixed_expander
from e2ecore.mls.rows import Rows

WINDOW_BACK: Final = 5
"""Keys of skipped generations kept per ratchet. The relay keeps order, so few are needed; with five
ChaCha20 keys a row has 265 bytes (297 in the suites with SHA-512)."""

WINDOW_FORWARD: Final = 1000
"""How far a head may jump. Bounds the work that one message can cause to about 2 ms."""

MAX_GENERATION: Final = (1 << 32) - 1
"""The last generation that fits its field; its key is never used."""

HANDSHAKE: Final = 0
APPLICATION: Final = 1

_HEAD: Final = Struct(">II")


class _Derivations(NamedTuple):
    """DeriveTreeSecret for a ratchet, of secret and generation, and for a node's children."""

    key: Callable[[bytes, bytes], bytes]
    nonce: Callable[[bytes, bytes], bytes]
    secret: Callable[[bytes, bytes], bytes]
    left: Callable[[bytes], bytes]
    right: Callable[[bytes], bytes]


@lru_cache(maxsize=16)
def _derivations(suite: CipherSuite) -> _Derivations:
    return _Derivations(
        expander(suite, "key", suite.nk),
        expander(suite, "nonce", suite.nn),
        expander(suite, "secret", suite.nh),
        fixed_expander(suite, "tree", b"left"),
        fixed_expander(suite, "tree", b"right"),
    )


class Ratchet:
    """One sender's keys for one type of content within one epoch.

    Attributes:
        next: The head: the first generation never derived yet.
        floor: Generations below it whose keys were dropped unused may exist; none from it on.
        secret: The ratchet secret of generation ``next``.
        skipped: Generation to key and nonce, of messages that have not arrived.
    """

    __slots__ = ("_derive", "floor", "next", "secret", "skipped", "suite")

    def __init__(self, suite: CipherSuite, secret: bytes) -> None:
        self.suite = suite
        self._derive = _derivations(suite)
        self.secret = secret
        self.next = 0
        self.floor = 0
        self.skipped: dict[int, tuple[bytes, bytes]] = {}

    def encode(self) -> bytes:
        """Return the row. Skipped generations are named by how far they lie behind the head."""
        head = _HEAD.pack(self.next, self.floor) + self.secret
        if not self.skipped:
            return head
        return head + b"".join(
            bytes((self.next - generation,)) + key + nonce
            for generation, (key, nonce) in self.skipped.items()
        )

    @classmethod
    def decode(cls, suite: CipherSuite, row: bytes) -> "Ratchet":
        """Read the row.

        Raises:
            CorruptStateError: The row has no possible length.
        """
        start, size = 8 + suite.nh, 1 + suite.nk + suite.nn
        if len(row) < start or (len(row) - start) % size:
            raise CorruptStateError("a ratchet row has a wrong length")
        ratchet = cls(suite, row[8:start])
        ratchet.next, ratchet.floor = _HEAD.unpack_from(row)
        for at in range(start, len(row), size):
            end = at + 1 + suite.nk
            ratchet.skipped[ratchet.next - row[at]] = (row[at + 1 : end], row[end : at + size])
        return ratchet

    def keys(self) -> tuple[bytes, bytes]:
        """Derive key and nonce of the head."""
        derive, context = self._derive, self.next.to_bytes(4, "big")
        return derive.key(self.secret, context), derive.nonce(self.secret, context)

    def advance(self) -> None:
        """Forget the head's secret and move on by one."""
        self.secret = self._derive.secret(self.secret, self.next.to_bytes(4, "big"))
        self.next += 1

    def copy(self) -> "Ratchet":
        """Return an independent copy."""
        twin = Ratchet(self.suite, self.secret)
        twin.next, twin.floor, twin.skipped = self.next, self.floor, dict(self.skipped)
        return twin

    def jump(self, generation: int) -> None:
        """Move the head up to ``generation``, keeping the keys within the window."""
        keep_from = max(self.next, generation - WINDOW_BACK)
        if keep_from > self.next:
            self.floor = keep_from
        while self.next < generation:
            if self.next >= keep_from:
                self.skipped[self.next] = self.keys()
            self.advance()

    def trim(self) -> None:
        """Drop the keys that left the window."""
        limit = self.next - 1 - WINDOW_BACK
        for generation in [old for old in self.skipped if old < limit]:
            del self.skipped[generation]
            self.floor = max(self.floor, generation + 1)

    def refuse_past(self, generation: int) -> NoReturn:
        """Say why a generation below the head has no key."""
        if generation >= self.floor:
            raise DuplicateMessageError
        raise GenerationTooOldError


@dataclass(slots=True, repr=False)
class Step:
    """A key that may be used once, and what using it changes."""

    leaf: int
    content: int
    generation: int
    key: bytes
    nonce: bytes
    ratchet: Ratchet
    expansion: "Expansion | None"


@dataclass(slots=True, repr=False)
class Expansion:
    """What the first use of a leaf changes in the tree."""

    consumed: list[int] = field(default_factory=list)
    siblings: dict[int, bytes] = field(default_factory=dict)
    ratchets: tuple[Ratchet, ...] = ()


class SecretTree:
    """All unconsumed secrets of one epoch."""

    __slots__ = ("_epoch", "_leaves", "_ratchets", "_rows", "_suite")

    def __init__(self, suite: CipherSuite, epoch: int, leaves: int, store: Rows) -> None:
        """Open the tree that ``store`` holds.

        ``leaves`` is the leaf count of the ratchet tree in this epoch, blanks included.
        """
        self._suite = suite
        self._epoch = epoch
        self._leaves = leaves
        self._rows = store
        self._ratchets: dict[int, Ratchet] = {}

    def start(self, encryption_secret: bytes) -> None:
        """Store the root's secret at the beginning of the epoch."""
        root = tree_math.root(self._leaves)
        self._rows.put((rows.SECRET_NODE, self._epoch, root), encryption_secret)

    def step(self, leaf: int, content: int, generation: int) -> Step:
        """Derive the key of a received message, changing nothing.

        Raises:
            DuplicateMessageError: This key has been used.
            GenerationTooOldError: The key was deleted, used or not.
            GenerationTooFarError: Beyond the window; refused before deriving anything.
        """
        ratchet, expansion = self._find(leaf, content)
        ahead = generation - ratchet.next
        if ahead == 0:
            key, nonce = ratchet.keys()
        elif ahead < 0:
            kept = ratchet.skipped.get(generation)
            if kept is None:
                ratchet.refuse_past(generation)
            key, nonce = kept
        elif ahead > WINDOW_FORWARD:
            raise GenerationTooFarError
        else:
            ratchet = ratchet.copy()
            ratchet.jump(generation)
            key, nonce = ratchet.keys()
        return Step(leaf, content, generation, key, nonce, ratchet, expansion)

    def used(self, leaf: int, content: int, generation: int) -> bool:
        """Tell whether a key was used and deleted; of one too old to say, it is not known."""
        ratchet, _ = self._find(leaf, content)
        return ratchet.floor <= generation < ratchet.next and generation not in ratchet.skipped

    def next_step(self, leaf: int, content: int) -> Step:
        """Derive the next key for sending. ``consume`` it before the message leaves."""
        ratchet, expansion = self._find(leaf, content)
        if ratchet.next >= MAX_GENERATION:
            raise GenerationExhaustedError
        key, nonce = ratchet.keys()
        return Step(leaf, content, ratchet.next, key, nonce, ratchet, expansion)

    def consume(self, step: Step) -> None:
        """Delete what this key was derived from, and the key."""
        ratchet, expansion = step.ratchet, step.expansion
        if expansion is not None:
            self._apply(step, expansion)
        if step.generation == ratchet.next:
            ratchet.advance()
            if ratchet.skipped:
                ratchet.trim()
        else:
            ratchet.skipped.pop(step.generation, None)
        index = 2 * step.leaf + step.content
        self._ratchets[index] = ratchet
        self._rows.put((rows.RATCHET, self._epoch, index), ratchet.encode())

    def _find(self, leaf: int, content: int) -> tuple[Ratchet, Expansion | None]:
        index = 2 * leaf + content
        ratchet = self._ratchets.get(index)
        if ratchet is not None:
            return ratchet, None
        row = self._rows.get((rows.RATCHET, self._epoch, index))
        if row is not None:
            ratchet = self._ratchets[index] = Ratchet.decode(self._suite, row)
            return ratchet, None
        expansion = self._expand(leaf)
        return expansion.ratchets[content], expansion

    def _expand(self, leaf: int) -> Expansion:
        suite, node = self._suite, 2 * leaf
        derive = _derivations(suite)
        path = [node, *tree_math.ascent(node, self._leaves)]
        for depth in range(len(path) - 1, -1, -1):  # there is one; at first it is the root's
            secret = self._rows.get((rows.SECRET_NODE, self._epoch, path[depth]))
            if secret is not None:
                break
        else:
            raise CorruptStateError("a leaf of the secret tree has neither secret nor ratchet")
        expansion = Expansion([path[depth]])
        for level in range(depth, 0, -1):
            left, right = derive.left(secret), derive.right(secret)
            child, sibling = path[level - 1], path[level - 1] ^ (1 << level)
            if child < sibling:
                secret, expansion.siblings[sibling] = left, right
            else:
                secret, expansion.siblings[sibling] = right, left
        expansion.ratchets = tuple(
            Ratchet(suite, expand_with_label(suite, secret, label, b"", suite.nh))
            for label in ("handshake", "application")
        )
        return expansion

    def _apply(self, step: Step, expansion: Expansion) -> None:
        """Write what the first use of a leaf changes, but for the ratchet that is used."""
        for node in expansion.consumed:
            self._rows.delete((rows.SECRET_NODE, self._epoch, node))
        for node, secret in expansion.siblings.items():
            self._rows.put((rows.SECRET_NODE, self._epoch, node), secret)
        content = 1 - step.content
        index, ratchet = 2 * step.leaf + content, expansion.ratchets[content]
        self._ratchets[index] = ratchet
        self._rows.put((rows.RATCHET, self._epoch, index), ratchet.encode())
