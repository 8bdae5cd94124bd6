"""Members, groups and their rows, for tests of MLS."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls.group import NO_PSKS, Group
from e2ecore.mls.key_package import KeyPackage, KeyPackageBundle
from e2ecore.mls.nodes import Capabilities
from e2ecore.mls.pending_commit import PendingCommit
from e2ecore.mls.pending_join import PendingJoin
from e2ecore.mls.proposals import Add, Proposal
from e2ecore.mls.received import ApplicationMessage, ReceivedProposal
from e2ecore.mls.rows import MemoryRows
from e2ecore.mls.staged import StagedCommit

NOW_MS = 1_800_000_000_000
CONVERSATION = 0xF0E2


class SeededRng:
    """Repeatable randomness; each seed is a stream of its own."""

    def __init__(self, seed: object) -> None:
        self._seed = repr(seed).encode()
        self._counter = 0

    def __call__(self, size: int, /) -> bytes:
        self._counter += 1
        return hashlib.shake_256(self._seed + self._counter.to_bytes(8, "big")).digest(size)


@dataclass
class Device:
    """One client: its key, its disk, and its view of one group."""

    name: str
    suite: CipherSuite = field(default_factory=lambda: SUITES[1])
    disk: MemoryRows = field(default_factory=MemoryRows)
    now_ms: int = NOW_MS
    extensions: tuple[int, ...] = (CONVERSATION,)

    def __post_init__(self) -> None:
        self.rng = SeededRng((self.name, self.suite.code))
        self.signer = self.suite.signature.generate(self.rng)
        self._group: Group | None = None

    @property
    def group(self) -> Group:
        assert self._group is not None
        return self._group

    def capabilities(self) -> Capabilities:
        return Capabilities(cipher_suites=(self.suite.code,), extensions=self.extensions)

    def bundle(self, *, last_resort: bool = False) -> KeyPackageBundle:
        return KeyPackageBundle.generate(
            self.suite,
            self.signer,
            self.name.encode(),
            now_ms=self.now_ms,
            rng=self.rng,
            capabilities=self.capabilities(),
            last_resort=last_resort,
        )

    def begin(self, group_id: bytes = b"conversation") -> Group:
        self._group = Group.create(
            self.suite,
            group_id,
            self.signer,
            self.name.encode(),
            capabilities=self.capabilities(),
            now_ms=self.now_ms,
            rng=self.rng,
        )
        self.save()
        return self.group

    def join(
        self, welcome: bytes, bundle: KeyPackageBundle, psks: Mapping[bytes, bytes] = NO_PSKS
    ) -> Group:
        self._group = Group.join(welcome, bundle, psks=psks, now_ms=self.now_ms)
        self.save()
        return self.group

    def enter(self, pending: PendingJoin) -> Group:
        self._group = Group.enter(pending)
        self.save()
        return self.group

    def save(self) -> None:
        self.disk.store(self.group.take_changes())

    def reload(self) -> Group:
        self.save()
        self._group = Group.load(self.disk)
        return self.group

    def send(self, data: bytes, authenticated_data: bytes = b"") -> bytes:
        message = self.group.protect(
            data, authenticated_data=authenticated_data, signer=self.signer, rng=self.rng
        )
        self.save()
        return message

    def read(self, message: bytes) -> ApplicationMessage:
        received = self.group.receive(message, now_ms=self.now_ms)
        self.save()
        assert isinstance(received, ApplicationMessage)
        return received

    def take(self, message: bytes) -> ReceivedProposal:
        received = self.group.receive(message, now_ms=self.now_ms)
        self.save()
        assert isinstance(received, ReceivedProposal)
        return received

    def stage(self, message: bytes) -> StagedCommit:
        received = self.group.receive(message, now_ms=self.now_ms)
        assert isinstance(received, StagedCommit)
        return received

    def merge(self, staged: StagedCommit) -> None:
        self.group.merge(staged, now_ms=self.now_ms)
        self.save()

    def commit(self, *proposals: Proposal, path: bool = True) -> PendingCommit:
        pending = self.group.create_commit(
            proposals, signer=self.signer, now_ms=self.now_ms, rng=self.rng, path=path
        )
        self.save()
        return pending


def add(bundle: KeyPackageBundle) -> Add:
    """Return the proposal to add the owner of this key package."""
    return Add(KeyPackage.decode(bundle.message))


def everybody(*names: str, suite: CipherSuite | None = None) -> list[Device]:
    """Return devices that share one group, the first being its creator."""
    devices = [Device(name, suite or SUITES[1]) for name in names]
    creator, others = devices[0], devices[1:]
    creator.begin()
    if others:
        bundles = [device.bundle() for device in others]
        pending = creator.commit(*map(add, bundles))
        creator.merge(pending.staged)
        assert pending.welcome is not None
        for device, bundle in zip(others, bundles, strict=True):
            device.join(pending.welcome, bundle)
    return devices


def pass_on(pending: PendingCommit, committer: Device, others: list[Device]) -> None:
    """Let everybody merge a commit."""
    staged = [device.stage(pending.commit) for device in others]
    committer.merge(pending.staged)
    for device, each in zip(others, staged, strict=True):
        device.merge(each)


def agree(devices: list[Device]) -> bool:
    """Tell whether all are in the same state."""
    states = {(d.group.epoch, d.group.epoch_authenticator, d.group.tree_hash) for d in devices}
    return len(states) == 1


def published(device: Device, *, with_tree: bool = True) -> bytes:
    """What a member shows to whoever may join by an external commit."""
    return device.group.group_info(signer=device.signer, with_tree=with_tree)


def knock(device: Device, group_info: bytes, *, resync: bool = False) -> PendingJoin:
    """Make the commit by which a device lets itself in."""
    return Group.join_by_commit(
        group_info,
        device.signer,
        device.name.encode(),
        capabilities=device.capabilities(),
        resync=resync,
        now_ms=NOW_MS,
        rng=device.rng,
    )
