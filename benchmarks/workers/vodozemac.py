"""Megolm by vodozemac, driven over JSON lines. Runs in the peer's own virtual environment.

Megolm is what its users send to groups: a symmetric ratchet, and a signature on each message.
"""

from __future__ import annotations

import asyncio

import vodozemac

from benchmarks.workers import service
from benchmarks.workers.messages import Messages


class Megolm(Messages[bytes]):
    """A sender's session and a receiver's."""

    distribution = "vodozemac"

    def __init__(self) -> None:
        self._sender = vodozemac.GroupSession()
        self._receiver = vodozemac.InboundGroupSession(self._sender.session_key)

    async def protect(self, data: bytes) -> bytes:
        """Return the encoded message."""
        return bytes(self._sender.encrypt(data).to_bytes())

    async def receive(self, message: bytes) -> bytes:
        """Decode and decrypt."""
        decoded = vodozemac.MegolmMessage.from_bytes(message)
        return bytes(self._receiver.decrypt(decoded).plaintext)

    def size(self, message: bytes) -> int:
        """Return its length."""
        return len(message)


if __name__ == "__main__":
    asyncio.run(service.serve(Megolm()))
