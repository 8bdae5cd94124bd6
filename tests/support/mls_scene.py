"""A group with a hostile member in it, and what all others make of its messages."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from e2ecore.mls.group import NO_PSKS, StagedCommit
from e2ecore.mls.key_package import KEY_PACKAGE_LABEL, KeyPackage
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.nodes import Capabilities, LeafNode, LeafNodeSource
from e2ecore.mls.proposals import Proposal, ProposalRef, Update
from tests.support.mls_forger import Forger
from tests.support.mls_groups import Device, add, agree, pass_on
from tests.support.mls_rules import Rules, refused


@dataclass
class Capable(Device):
    """A device that says more about itself."""

    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = (1,)

    def capabilities(self) -> Capabilities:
        return replace(
            super().capabilities(), proposals=self.proposals, credentials=self.credentials
        )


def assemble(devices: Sequence[Device], group_id: bytes = b"conversation") -> None:
    """Let the first one create a group and add the others, without a path."""
    creator, others = devices[0], devices[1:]
    creator.begin(group_id)
    bundles = [device.bundle() for device in others]
    pending = creator.commit(*map(add, bundles), path=False)
    creator.merge(pending.staged)
    assert pending.welcome is not None
    for device, bundle in zip(others, bundles, strict=True):
        device.join(pending.welcome, bundle)


@contextmanager
def untouched(device: Device) -> Iterator[None]:
    """Expect that nothing changes that would be stored, and nothing that was stored."""
    device.save()
    before = dict(device.disk.rows)
    yield
    assert device.group.take_changes() == {}
    assert device.disk.rows == before


@dataclass
class Scene:
    """Alice is hostile; bob, carol and dave are not."""

    devices: list[Device] = field(
        default_factory=lambda: [Device(name) for name in ("alice", "bob", "carol", "dave")]
    )
    begun: bool = False

    def __post_init__(self) -> None:
        if not self.begun:
            assemble(self.devices)
        self.alice, self.bob, *_ = self.devices
        self.forger = Forger(self.alice)

    @property
    def carol(self) -> Device:
        return self.devices[2]

    @property
    def dave(self) -> Device:
        return self.devices[3]

    @property
    def others(self) -> list[Device]:
        return self.devices[1:]

    def refuses(
        self,
        rules: str | Rules,
        message: bytes,
        *,
        by: Sequence[Device] | None = None,
        psks: Mapping[bytes, bytes] = NO_PSKS,
    ) -> None:
        """All who are asked refuse a message twice; nothing changes; the next commit is merged."""
        for device in self.others if by is None else by:
            with untouched(device):
                for _ in range(2):
                    with refused(*([rules] if isinstance(rules, str) else rules)):
                        device.group.receive(message, now_ms=device.now_ms, psks=psks)
        self.goes_on()

    def goes_on(self) -> None:
        """A genuine commit is merged by all, from memory and from disk."""
        self.bob.reload()
        pass_on(self.alice.commit(), self.alice, self.others)
        assert agree(self.devices)

    def merges(self, message: bytes) -> None:
        """Everybody accepts a commit of the forger, and any credential: it had no fault."""
        for device in self.others:
            staged = device.group.receive(message, now_ms=device.now_ms, policy=lambda _: None)
            assert isinstance(staged, StagedCommit)
            device.merge(staged)
        assert agree(self.others)

    def spread(self, sender: Device, message: bytes) -> ProposalRef:
        """Everybody but its sender takes a proposal."""
        taken = [device.take(message) for device in self.devices if device is not sender]
        return ProposalRef(taken[0].ref)

    def without_alice(self) -> "Scene":
        """Bob is the hostile one now."""
        return Scene(self.others, begun=True)

    def commit_and_pass_on(self, *proposals: Proposal) -> None:
        """An honest commit of alice, merged by all."""
        pass_on(self.alice.commit(*proposals), self.alice, self.others)


def update_of(device: Device, **changes: object) -> Update:
    """Return a device's update, with any field of its leaf changed before it is signed."""
    state = device.group.state
    leaf = replace(
        state.tree.member(state.own_leaf),
        encryption_key=device.suite.hpke.generate(device.rng).public,
        source=LeafNodeSource.UPDATE,
        lifetime=None,
        parent_hash=None,
    )
    return Update(resigned(leaf, device, state.own_leaf, **changes))


def resigned(leaf: LeafNode, device: Device, place: int = 0, **changes: object) -> LeafNode:
    """Return a leaf with changed fields, signed by its owner."""
    changed: LeafNode = replace(leaf, **changes)  # type: ignore[arg-type]  # by name
    group_id = b"conversation" if changed.lifetime is None else b""
    return changed.signed(device.signer, group_id, place)


def package_of(device: Device, **changes: object) -> KeyPackage:
    """Return a key package with changed fields of its own, signed by its owner."""
    return signed_package(device.bundle().key_package, device, **changes)


def signed_package(package: KeyPackage, device: Device, **changes: object) -> KeyPackage:
    """Return a key package with changed fields and a fresh signature."""
    changed: KeyPackage = replace(package, **changes)  # type: ignore[arg-type]  # by name
    signature = sign_with_label(device.signer, KEY_PACKAGE_LABEL, changed.tbs())
    return replace(changed, signature=signature)


def package_with_leaf(device: Device, **changes: object) -> KeyPackage:
    """Return a key package whose leaf has changed fields; both signatures are right."""
    package = device.bundle().key_package
    leaf: LeafNode = replace(package.leaf_node, **changes)  # type: ignore[arg-type]  # by name
    return signed_package(package, device, leaf_node=leaf.signed(device.signer, b"", 0))
