"""A password-authenticated key exchange: a short secret becomes a key, at one guess per run.

SPAKE2 over edwards25519, as the ``spake2`` library has it. Its arithmetic is Python's, so its time
depends on its secrets; each object is therefore used for one run, with fresh scalars, and the
password of a run is never used again.

Spec: protocol/spec/70-linking.md, [LNK-12]
"""

from typing import Final, Protocol, cast

from e2ecore.crypto.rng import Rng
from e2ecore.errors import PeerError

MESSAGE_BYTES: Final = 33
"""Bytes of what a side sends: its letter, and a point."""


class PakeError(PeerError):
    """What the other side sent is no message of this exchange. Nothing was revealed."""


class _Run(Protocol):
    def start(self) -> bytes: ...

    def finish(self, inbound: bytes, /) -> bytes: ...


class Pake:
    """One side of one run."""

    __slots__ = ("_run", "message")

    def __init__(self, password: bytes, *, id_a: bytes, id_b: bytes, is_a: bool, rng: Rng) -> None:
        """Choose this side's scalar.

        Args:
            password: What both sides know; used for this run alone.
            id_a: Who side A is.
            id_b: Who side B is.
            is_a: Which side this is.
            rng: Source of the scalar.
        """
        import spake2  # here: it takes 80 ms to load, and few programs link a device

        kind = spake2.SPAKE2_A if is_a else spake2.SPAKE2_B
        self._run = cast("_Run", kind(password, idA=id_a, idB=id_b, entropy_f=rng))
        self.message: Final = self._run.start()
        """For the other side."""

    def finish(self, message: bytes) -> bytes:
        """Return the key of 32 bytes; it is the other side's only if the passwords are the same.

        Raises:
            PakeError: Not the other side's message, or it was our own.
        """
        if len(message) != MESSAGE_BYTES:
            raise PakeError("a message of another size")
        try:
            return self._run.finish(message)
        except Exception as error:  # the library raises whatever its arithmetic does
            raise PakeError(type(error).__name__) from error
