"""MLS groups of the package rfc9420, driven over JSON lines. Runs in the peer's own virtual
environment.

Its members refuse the update paths of its own commits, so that only commits that add are measured.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from rfc9420 import DefaultCryptoProvider, GroupConfig, MemoryStorageProvider
from rfc9420.api.session import MLSGroupSession
from rfc9420.extensions.extensions import build_capabilities_data
from rfc9420.messages.data_structures import Credential, Signature
from rfc9420.messages.key_packages import KeyPackage, LeafNode

from benchmarks.workers import service
from benchmarks.workers.messages import NO_FIGURES, Messages

if TYPE_CHECKING:
    from benchmarks.wire import JsonObject

SUITE: Final = 1
MEMBERS: Final = 1000
LIFETIME_S: Final = 28 * 24 * 3600
CRYPTO: Final = DefaultCryptoProvider()


@dataclass(frozen=True)
class Client:
    """A key package and its private keys."""

    package: KeyPackage
    init: bytes
    signer: bytes

    @classmethod
    def new(cls, name: str) -> Client:
        """Return a client with fresh keys."""
        encryption, init = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        signing = Ed25519PrivateKey.generate()
        signer, public = signing.private_bytes_raw(), signing.public_key().public_bytes_raw()
        now_s = int(time.time_ns() // 1_000_000_000)
        leaf = LeafNode(
            encryption_key=encryption.public_key().public_bytes_raw(),
            signature_key=public,
            credential=Credential(identity=name.encode(), public_key=public),
            capabilities=build_capabilities_data([SUITE], []),
            lifetime_not_before=now_s - 3600,
            lifetime_not_after=now_s + LIFETIME_S,
        )
        signed = CRYPTO.sign_with_label(signer, b"LeafNodeTBS", leaf.tbs_serialize())
        leaf = replace(leaf, signature=Signature(signed))
        package = KeyPackage(init_key=init.public_key().public_bytes_raw(), leaf_node=leaf)
        signed = CRYPTO.sign_with_label(signer, b"KeyPackageTBS", package.tbs_serialize())
        return cls(replace(package, signature=Signature(signed)), init.private_bytes_raw(), signer)


def _config() -> GroupConfig:
    return GroupConfig(crypto_provider=CRYPTO, storage_provider=MemoryStorageProvider())


class Group:
    """Its first member, who adds everybody, and its last one."""

    def __init__(self, members: int) -> None:
        """Make a group of so many."""
        self.signer = Client.new("member 0")
        others = [Client.new(f"member {number}") for number in range(1, members)]
        package = self.signer.package
        self.first = MLSGroupSession.create_with_config(_config(), b"benchmark", package)
        _, _, self.welcome = self.add(others)
        self.invited = others[-1]
        self.last = self.join()

    def add(self, clients: list[Client]) -> tuple[list[bytes], bytes, object]:
        """Return proposals, commit and Welcome."""
        proposals = [self.first.add_member(each.package, self.signer.signer) for each in clients]
        for proposal in proposals:
            self.first.process_proposal(proposal, 0)
        commit, welcomes = self.first.commit(self.signer.signer)
        return proposals, commit, welcomes[0]

    def join(self) -> MLSGroupSession:
        """Let the last one join."""
        invited = self.invited
        return MLSGroupSession.join_from_welcome_with_config(
            _config(), self.welcome, invited.init, key_package=invited.package
        )


class Rfc9420(Messages[bytes]):
    """A group of two, and one of a thousand if it is asked for."""

    distribution = "rfc9420"

    def __init__(self) -> None:
        self._numbers = count()

    @cached_property
    def _pair(self) -> Group:
        return Group(2)

    @cached_property
    def _large(self) -> Group:
        return Group(MEMBERS)

    async def protect(self, data: bytes) -> bytes:
        """Return an encoded PrivateMessage, signed."""
        pair = self._pair
        return bytes(pair.first.protect_application(data, pair.signer.signer))

    async def receive(self, message: bytes) -> bytes:
        """Decode and decrypt."""
        _, data = self._pair.last.unprotect_application(message)
        return bytes(data)

    def size(self, message: bytes) -> int:
        """Return its length."""
        return len(message)

    async def measure_group(self, work: str, size: int) -> JsonObject:
        """Add members to a thousand, or join them."""
        if work == "mls_add":
            return self._adds(size)
        if work == "mls_join":
            return self._joins(size)
        return NO_FIGURES

    def _adds(self, size: int) -> JsonObject:
        group, create, process = self._large, [], []
        for _ in range(size):
            newcomer = Client.new(f"newcomer {next(self._numbers)}")
            before = time.process_time_ns()
            (proposal,), commit, _ = group.add([newcomer])
            between = time.process_time_ns()
            group.last.process_proposal(proposal, 0)
            group.last.apply_commit(commit, 0)
            create.append((between - before) / 1000)
            process.append((time.process_time_ns() - between) / 1_000_000)
        return {"create": median(create), "process_ms": median(process)}

    def _joins(self, size: int) -> JsonObject:
        group, joined = self._large, []
        for _ in range(size):
            before = time.perf_counter_ns()
            group.join()
            joined.append((time.perf_counter_ns() - before) / 1_000_000)
        return {"join_bare_ms": median(joined)}


if __name__ == "__main__":
    asyncio.run(service.serve(Rfc9420()))
