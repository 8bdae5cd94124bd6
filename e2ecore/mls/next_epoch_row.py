"""A staged epoch as bytes: what lets our own commit survive a restart."""

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.mls.codec import Reader, decode_all, opaque, optional, u32, vector
from e2ecore.mls.epoch import CurrentEpoch
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.key_schedule import EncryptionSecret
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.staged import NextEpoch


def encode_next(following: NextEpoch) -> bytes:
    """Return everything that a merge installs, private keys in clear."""
    nodes = (
        u32(index) + optional(None if node is None else opaque(node))
        for index, node in following.changed.items()
    )
    keys = (u32(index) + opaque(key.raw) for index, key in following.keys.items())
    return b"".join(
        (
            opaque(following.context.encode()),
            opaque(following.current.encode()),
            opaque(following.encryption.raw),
            vector(nodes),
            vector(keys),
        )
    )


def read_next(reader: Reader, tree: RatchetTree) -> NextEpoch:
    """Read what ``encode_next`` made. ``tree`` is the one that it changed; a fork is returned."""
    context = decode_all(GroupContext.read, reader.opaque())
    current = decode_all(CurrentEpoch.read, reader.opaque())
    encryption = EncryptionSecret(reader.opaque())
    changed = dict(reader.vector(_read_node))
    fork = tree.fork()
    fork.redo(current.leaves, changed)
    return NextEpoch(context, current, encryption, fork, changed, dict(reader.vector(_read_key)))


def _read_node(reader: Reader) -> tuple[int, bytes | None]:
    return reader.u32(), reader.optional(Reader.opaque)


def _read_key(reader: Reader) -> tuple[int, HpkePrivateKey]:
    return reader.u32(), HpkePrivateKey(reader.opaque())
