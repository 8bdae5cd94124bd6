"""Members of one group who run different programs, asked in the same words."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from benchmarks import wire
from benchmarks.worker import Worker
from e2ecore.crypto.suites import SUITES
from e2ecore.mls.framing_choice import HandshakeFraming
from e2ecore.mls.group import ApplicationMessage, Group, PendingCommit, StagedCommit
from e2ecore.mls.key_package import KeyPackage, KeyPackageBundle
from e2ecore.mls.message import decode_message, encode_message
from e2ecore.mls.pending_join import PendingJoin
from e2ecore.mls.proposals import Add, Proposal, Remove
from tests.support.mls_groups import Device

EXPORT_LABEL: Final = "interop"
EXPORT_CONTEXT: Final = b"context"
EXPORT_SIZE: Final = 32


@dataclass(frozen=True)
class View:
    """What all members of an epoch see alike."""

    epoch: int
    authenticator: bytes
    tree_hash: bytes
    exported: bytes


def view_of(group: Group) -> View:
    """Return what our member sees."""
    exported = group.export(EXPORT_LABEL, EXPORT_CONTEXT, EXPORT_SIZE)
    return View(group.epoch, group.epoch_authenticator, group.tree_hash, exported)


@dataclass(frozen=True)
class Made:
    """A commit that its maker has not merged yet, and the invitation that goes with it."""

    commit: bytes
    welcome: bytes | None


class Party(Protocol):
    """One client with its view of one group. All messages are encoded MLSMessages."""

    name: str

    def key_package(self) -> bytes: ...
    def create(self, group_id: bytes) -> None: ...
    def join(self, welcome: bytes) -> None: ...
    def commit(
        self,
        *,
        add: Sequence[bytes] = (),
        remove: Sequence[int] = (),
        psk: Sequence[bytes] = (),
        in_clear: bool = False,
    ) -> Made: ...
    def merge(self) -> None: ...
    def group_info(self) -> bytes: ...
    def join_externally(self, group_info: bytes, *, resync: bool = False) -> bytes: ...
    def propose_add(self, key_package: bytes, *, in_clear: bool = False) -> bytes: ...
    def propose_remove(self, leaf: int, *, in_clear: bool = False) -> bytes: ...
    def know_psk(self, psk_id: bytes, value: bytes) -> None: ...
    def protect(self, data: bytes, authenticated_data: bytes = b"") -> bytes: ...
    def process(self, message: bytes) -> bytes | None: ...
    def view(self) -> View: ...
    @property
    def leaf(self) -> int: ...
    @property
    def is_member(self) -> bool: ...


@dataclass
class Ours:
    """A client of this project. It forgets everything but its rows after each step."""

    name: str
    suite: int
    path: bool = True
    """Whether its commits refresh its keys even where they need not."""
    psks: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        self.device = Device(self.name, SUITES[self.suite], now_ms=now_ms)
        self._bundle: KeyPackageBundle | None = None
        self._pending: PendingCommit | PendingJoin | None = None

    def key_package(self) -> bytes:
        self._bundle = self.device.bundle()
        return encode_message(self._bundle.key_package)

    def create(self, group_id: bytes) -> None:
        self.device.begin(group_id)

    def join(self, welcome: bytes) -> None:
        assert self._bundle is not None
        self.device.join(welcome, self._bundle, psks=self.psks)

    def commit(
        self,
        *,
        add: Sequence[bytes] = (),
        remove: Sequence[int] = (),
        psk: Sequence[bytes] = (),
        in_clear: bool = False,
    ) -> Made:
        proposals: list[Proposal] = [Add(key_package_of(each)) for each in add]
        proposals += [Remove(leaf) for leaf in remove]
        device = self.device
        proposals += [device.group.psk_proposal(psk_id, rng=device.rng) for psk_id in psk]
        pending = device.group.create_commit(
            proposals,
            signer=device.signer,
            now_ms=device.now_ms,
            rng=device.rng,
            psks=self.psks,
            path=self.path,
            framing=HandshakeFraming(public=in_clear),
        )
        device.save()
        self._pending = pending
        return Made(pending.commit, pending.welcome)

    def merge(self) -> None:
        if isinstance(self._pending, PendingJoin):
            self.device.disk.rows.clear()
            self.device.enter(self._pending)
        elif self._pending is not None:
            self.device.merge(self._pending.staged)
        self._pending = None

    def group_info(self) -> bytes:
        return self.device.group.group_info(signer=self.device.signer)

    def join_externally(self, group_info: bytes, *, resync: bool = False) -> bytes:
        device = self.device
        self._pending = Group.join_by_commit(
            group_info,
            device.signer,
            self.name.encode(),
            resync=resync,
            capabilities=device.capabilities(),
            now_ms=device.now_ms,
            rng=device.rng,
        )
        return self._pending.commit

    def propose_add(self, key_package: bytes, *, in_clear: bool = False) -> bytes:
        device = self.device
        message = device.group.propose_add(
            key_package_of(key_package).encode(),
            signer=device.signer,
            rng=device.rng,
            now_ms=device.now_ms,
            framing=HandshakeFraming(public=in_clear),
        )
        device.save()
        return message

    def propose_remove(self, leaf: int, *, in_clear: bool = False) -> bytes:
        device = self.device
        framing = HandshakeFraming(public=in_clear)
        message = device.group.propose_remove(
            leaf, signer=device.signer, rng=device.rng, framing=framing
        )
        device.save()
        return message

    def propose_update(self, *, in_clear: bool = False) -> bytes:
        device = self.device
        framing = HandshakeFraming(public=in_clear)
        message = device.group.propose_update(signer=device.signer, rng=device.rng, framing=framing)
        device.save()
        return message

    def know_psk(self, psk_id: bytes, value: bytes) -> None:
        self.psks[psk_id] = value

    def protect(self, data: bytes, authenticated_data: bytes = b"") -> bytes:
        return self.device.send(data, authenticated_data)

    def process(self, message: bytes) -> bytes | None:
        device = self.device
        received = device.group.receive(message, now_ms=device.now_ms, psks=self.psks)
        if isinstance(received, StagedCommit):
            device.merge(received)
        device.save()
        if self.is_member:
            device.reload()
        return received.data if isinstance(received, ApplicationMessage) else None

    def leaf_of(self, name: str) -> int:
        members = self.device.group.members()
        return next(each.leaf for each in members if each.identity == name.encode())

    def view(self) -> View:
        return view_of(self.device.group)

    @property
    def leaf(self) -> int:
        return self.device.group.own_leaf

    @property
    def is_member(self) -> bool:
        return self.device.group.is_member


@dataclass
class Theirs:
    """A client of the partner, in a process of its own."""

    name: str
    suite: int
    process_: Worker
    as_is: bool = False
    """Without the driver's ways around the partner's faults."""
    identity: str | None = None
    """What its credential says, if not its name."""

    def __post_init__(self) -> None:
        identity = self.identity or self.name
        self._ask("begin", suite=self.suite, as_is=self.as_is, identity=identity)

    def key_package(self) -> bytes:
        return self._bytes("key_package")

    def create(self, group_id: bytes) -> None:
        self._ask("create", group_id=group_id.hex())

    def join(self, welcome: bytes) -> None:
        self._ask("join", welcome=welcome.hex())

    def commit(
        self,
        *,
        add: Sequence[bytes] = (),
        remove: Sequence[int] = (),
        psk: Sequence[bytes] = (),
        extensions: Mapping[int, bytes] | None = None,
        in_clear: bool = False,
    ) -> Made:
        listed: list[wire.JsonValue] = [
            [type_, data.hex()] for type_, data in (extensions or {}).items()
        ]
        answer = self._ask(
            "commit",
            add=[each.hex() for each in add],
            remove=[*remove],
            psk=[each.hex() for each in psk],
            extensions=None if extensions is None else listed,
            in_clear=in_clear,
        )
        welcome = answer["welcome"]
        return Made(
            bytes.fromhex(wire.text(answer, "commit")),
            bytes.fromhex(welcome) if isinstance(welcome, str) else None,
        )

    def commit_reinit(self, group_id: bytes, suite: int) -> bytes:
        answer = self._ask("reinit", group_id=group_id.hex(), suite=suite)
        return bytes.fromhex(wire.text(answer, "commit"))

    def found(
        self, kind: str, old: "Theirs", group_id: bytes, key_packages: Sequence[bytes]
    ) -> tuple[bytes, bytes]:
        """Begin a group that continues another client's; return Welcome and tree."""
        packages: list[wire.JsonValue] = [each.hex() for each in key_packages]
        answer = self._ask(
            "found", kind=kind, old=old.name, group_id=group_id.hex(), packages=packages
        )
        welcome, tree = (bytes.fromhex(wire.text(answer, key)) for key in ("welcome", "tree"))
        return welcome, tree

    def follow(self, welcome: bytes, old: "Theirs") -> None:
        """Join a group that continues another client's."""
        self._ask("join", welcome=welcome.hex(), old=old.name)

    def merge(self) -> None:
        self._ask("merge")

    def group_info(self) -> bytes:
        return self._bytes("group_info")

    def join_externally(self, group_info: bytes, *, resync: bool = False) -> bytes:
        answer = self._ask("external_join", group_info=group_info.hex(), resync=resync)
        return bytes.fromhex(wire.text(answer, "commit"))

    def propose_add(self, key_package: bytes, *, in_clear: bool = False) -> bytes:
        return self._bytes("propose", add=[key_package.hex()], in_clear=in_clear)

    def propose_remove(self, leaf: int, *, in_clear: bool = False) -> bytes:
        return self._bytes("propose", remove=[leaf], in_clear=in_clear)

    def know_psk(self, psk_id: bytes, value: bytes) -> None:
        self._ask("psk", psk_id=psk_id.hex(), value=value.hex())

    def protect(self, data: bytes, authenticated_data: bytes = b"") -> bytes:
        return self._bytes("protect", data=data.hex(), authenticated_data=authenticated_data.hex())

    def process(self, message: bytes) -> bytes | None:
        data = self._ask("process", message=message.hex())["data"]
        return bytes.fromhex(data) if isinstance(data, str) else None

    def view(self) -> View:
        state = self._state()
        values = (wire.text(state, key) for key in ("authenticator", "tree_hash", "exported"))
        return View(wire.integer(state, "epoch"), *map(bytes.fromhex, values))

    @property
    def leaf(self) -> int:
        return wire.integer(self._state(), "leaf")

    @property
    def is_member(self) -> bool:
        return self._state()["member"] is True

    def _state(self) -> wire.JsonObject:
        return self._ask(
            "state", label=EXPORT_LABEL, context=EXPORT_CONTEXT.hex(), size=EXPORT_SIZE
        )

    def _bytes(self, verb: str, **arguments: wire.JsonValue) -> bytes:
        return bytes.fromhex(wire.text(self._ask(verb, **arguments), "message"))

    def _ask(self, verb: str, **arguments: wire.JsonValue) -> wire.JsonObject:
        return self.process_.ask(verb, client=self.name, **arguments)


def key_package_of(message: bytes) -> KeyPackage:
    """Decode a key package."""
    decoded = decode_message(message)
    assert isinstance(decoded, KeyPackage)
    return decoded
