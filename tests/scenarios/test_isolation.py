"""Who can read what: a removed member who kept everything, the relay's database, the wire.

The attackers have more than real ones could: a copy of the removed member's database, open, the
relay's database with its key, and every frame that crossed the wire, inside of TLS. They try every
way that leads from keys to a message; each way is shown to work for somebody who may read.
"""

import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import anyio
import pytest

from e2ecore import Conversation, Engine
from e2ecore.crypto.errors import DecryptionError
from e2ecore.crypto.rng import system_rng
from e2ecore.engine.engine import system_clock_ms
from e2ecore.errors import E2EError
from e2ecore.mls.framing import ContentType
from e2ecore.mls.group import Group
from e2ecore.mls.group_info import Welcome
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.key_schedule import SenderDataSecret
from e2ecore.mls.labels import derive_secret
from e2ecore.mls.message import decode_message
from e2ecore.mls.private_message import MessageKeys, PrivateMessage
from e2ecore.mls.received import ApplicationMessage
from e2ecore.mls.rows import NODE, PAST_LEAF, MemoryRows
from e2ecore.mls.staged import StagedCommit
from e2ecore.storage import account, conversations, key_packages, mls_rows
from e2ecore.storage.account import AccountRow
from e2ecore.storage.database import Database
from e2ecore.storage.key_packages import KeyPackageState
from e2ecore.storage.tx import Tx
from e2ecore.testing import open_device
from e2ecore.testing.devices import PASSPHRASE
from e2ecore.transport.dialing import dial
from e2ecore.transport.login import Dial, FrameChannel
from e2ecore_protocol.content.messages import Text, decode_content
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.frames import (
    Commit,
    Committed,
    Deliver,
    EnvelopeKind,
    Failed,
    Refused,
    Submit,
    decode_client_frame,
    decode_server_frame,
    make_envelope_id,
)
from tests.support.engines import group_of, pair, texts
from tests.support.raw_client import KeyPair, Person, online
from tests.support.recording import recorded
from tests.support.relay import relay_at, relay_values, where

pytestmark = [pytest.mark.slow, pytest.mark.clause("GB42012-8.2")]

T = TypeVar("T")
BEFORE: Final = [f"before the removal {number}" for number in range(3)]
AFTER: Final = [f"after the removal {number}" for number in range(3)]
UNREAD: Final = [f"still at the relay {number}" for number in range(3)]
DIRECT: Final = "between two people"
TITLE: Final = "a title for members"
NAME: Final = "A Display Name"
EVERYTHING: Final = [*BEFORE, *AFTER, *UNREAD, DIRECT, TITLE, NAME]
SECRET_BYTES: Final = 32


@dataclass
class Loot:
    """What the attackers have."""

    removed: Path
    """Mallory's database from before her removal."""
    member: Path
    """Bob's, when he has read AFTER but not UNREAD: to show that the attacks work at all."""
    outsider: Path
    """Of an account that was never in the group."""
    conversation: bytes = b""
    sent: list[bytes] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    relay_values: list[bytes] = field(default_factory=list)
    refusals: list[object] = field(default_factory=list)
    """How the relay answered when the removed member went on sending."""

    def payloads(self) -> list[bytes]:
        """Return every ciphertext that crossed the wire or lies at the relay, in order."""
        found: dict[bytes, None] = {}
        for data in self.sent:
            frame = decode_client_frame(data)
            if isinstance(frame, Submit):
                found |= dict.fromkeys(one.payload for one in frame.envelopes)
            elif isinstance(frame, Commit):
                found |= dict.fromkeys((frame.payload, frame.welcome or b""))
        for data in self.received:
            answer = decode_server_frame(data)
            if isinstance(answer, Deliver):
                found |= dict.fromkeys(one.payload for one in answer.deliveries)
        return [*found, *self.relay_values]


async def play(folder: Path) -> Loot:
    """Alice, Bob and Mallory talk; Mallory is removed; Alice and Bob go on."""
    loot = Loot(folder / "mallory.db", folder / "bob.db", folder / "eve.db")
    async with relay_at(folder) as relay:
        url, ca = where(relay)

        async def dial_relay() -> FrameChannel:
            return await dial(url, ca_file=ca)

        wire = recorded(dial_relay, loot.sent.append, loot.received.append)
        async with registered(folder, wire, "alice") as alice:
            at_alice = alice.events()
            async with registered(folder, wire, "bob") as bob:
                group, at_bobs = await remove_mallory(loot, folder, wire, alice, bob)
                await go_on_sending(loot, url, ca)
                at_bob = bob.events()
                for text in AFTER:
                    await (await group.send(text)).accepted()
                assert await texts(at_bob, len(AFTER)) == AFTER
                await at_bobs.send("bob, too")
                assert await texts(at_alice, 1) == ["bob, too"]
            for text in UNREAD:
                await (await group.send(text)).accepted()
    loot.relay_values = list(relay_values(folder / "relay"))
    return loot


@asynccontextmanager
async def registered(folder: Path, wire: Dial, name: str) -> AsyncIterator[Engine]:
    async with await open_device(folder / f"{name}.db", wire) as engine:
        await engine.register(name, NAME)
        yield engine


async def remove_mallory(
    loot: Loot, folder: Path, wire: Dial, alice: Engine, bob: Engine
) -> tuple[Conversation, Conversation]:
    """Everybody reads BEFORE; then Mallory's database is put aside, and she is removed."""
    at_bob = bob.events()
    async with registered(folder, wire, "mallory") as mallory, registered(folder, wire, "eve"):
        at_mallory = mallory.events()
        chat, _ = await pair(alice, bob)
        await (await chat.send(DIRECT)).accepted()
        group, at_bobs, _ = await group_of((alice, bob, mallory), TITLE)
        loot.conversation = group.conversation_id
        for text in BEFORE:
            await (await group.send(text)).accepted()
        assert await texts(at_mallory, len(BEFORE)) == BEFORE
    keep(loot.removed)
    await (await group.remove(await alice.contacts.find("mallory"))).applied()
    assert await texts(at_bob, 1 + len(BEFORE)) == [DIRECT, *BEFORE]
    return group, at_bobs


def keep(path: Path) -> None:
    """Copy a database as it is now; later changes go elsewhere."""
    for part in path.parent.glob(f"{path.name}*"):
        shutil.copy(part, part.with_name(f"kept-{part.name}"))


async def go_on_sending(loot: Loot, url: str, ca: str) -> None:
    """Mallory ignores that she was removed, and talks to the relay as she always did."""
    keys, group = stolen(kept(loot.removed), loot.conversation)
    assert group is not None
    signer = group.suite.signature.load(keys.device_key)
    person = Person(identity=KeyPair.make(keys.identity_key), device=KeyPair.make(keys.device_key))
    message = group.protect(b"still here", signer=signer, rng=system_rng)
    proposal = group.propose_remove(0, signer=signer, rng=system_rng)
    commit = group.create_commit((), signer=signer, now_ms=system_clock_ms(), rng=system_rng)
    assert person.device_id == keys.device_id
    person.account_id = keys.account_id
    async with online(url, ca, person, register=False) as client:
        for epoch in (group.epoch, group.epoch + 1):
            results = await client.submit(loot.conversation, message, epoch=epoch)
            loot.refusals += [one.code for one in results if isinstance(one, Refused)]
            kind = EnvelopeKind.PROPOSAL
            results = await client.submit(loot.conversation, proposal, epoch=epoch, kind=kind)
            loot.refusals += [one.code for one in results if isinstance(one, Refused)]
            envelope_id = make_envelope_id(system_clock_ms(), system_rng(10))
            frame = Commit(
                client.request(), loot.conversation, envelope_id, epoch, commit.commit, None,
                (), (), None,
            )  # fmt: skip
            answer = await client.ask(frame, Committed)
            loot.refusals += [answer.code] if isinstance(answer, Failed) else []


# What attackers do with keys.


def kept(path: Path) -> Path:
    return path.with_name(f"kept-{path.name}")


def stolen(path: Path, conversation: bytes) -> tuple[AccountRow, Group | None]:
    """Open a stolen database; return the account's keys and the group's state."""

    def work(tx: Tx) -> tuple[AccountRow, Group | None]:
        keys = account.load(tx)
        assert keys is not None
        row = conversations.by_uid(tx, conversation)
        if row is None:
            return keys, None
        rows = MemoryRows()
        source = mls_rows.MlsRows(tx, row.cid)
        for kind in range(1, PAST_LEAF + 1):
            for epoch in range(row.epoch + 1):
                rows.store(dict(source.scan(kind, epoch)))
        return keys, Group.load(rows)

    return read(path, work)


def read(path: Path, work: Callable[[Tx], T]) -> T:
    database = Database.open(path, PASSPHRASE)
    try:
        return database.readers.read(work)
    finally:
        database.close()


def bundles(path: Path) -> list[KeyPackageBundle]:
    """Return every key package whose private keys are still there."""

    def work(tx: Tx) -> list[KeyPackageBundle]:
        rows = [row for state in KeyPackageState for row in key_packages.in_state(tx, state)]
        return [KeyPackageBundle.decode(row.bundle) for row in rows]

    return read(path, work)


def follow(group: Group | None, payloads: Iterable[bytes], *, merge: bool) -> list[str]:
    """Give every ciphertext to a stolen group state; return what it reads.

    Args:
        group: The state.
        payloads: Ciphertexts, in the order of the wire.
        merge: Follow commits, too.
    """
    found: list[str] = []
    for payload in payloads:
        try:
            assert group is not None
            received = group.receive(payload, now_ms=None)
            if isinstance(received, ApplicationMessage):
                content = decode_content(received.data)
                found += [content.text] if isinstance(content, Text) else []
            elif isinstance(received, StagedCommit) and merge:
                group.merge(received, now_ms=system_clock_ms())
        except (E2EError, MalformedError, AssertionError):
            continue
    return found


def join(path: Path, payloads: Iterable[bytes]) -> list[Group]:
    """Try to join by every Welcome on the wire."""
    groups: list[Group] = []
    packages = bundles(path)
    assert packages
    for payload in payloads:
        try:
            welcome = decode_message(payload)
        except E2EError:
            continue
        for package in packages if isinstance(welcome, Welcome) else []:
            with suppress(E2EError):
                groups.append(Group.join(payload, package, now_ms=None))
    return groups


def all_secrets(path: Path, conversation: bytes) -> set[bytes]:
    """Return every 32 bytes in a row that a group keeps, public tree nodes left out."""

    def work(tx: Tx) -> set[bytes]:
        row = conversations.by_uid(tx, conversation)
        assert row is not None
        source = mls_rows.MlsRows(tx, row.cid)
        values = [
            value
            for kind in range(1, PAST_LEAF + 1)
            for epoch in range(row.epoch + 1)
            for _, value in source.scan(kind, epoch)
            if kind != NODE
        ]
        return {
            value[at : at + SECRET_BYTES]
            for value in values
            for at in range(len(value) - SECRET_BYTES + 1)
        }

    return read(path, work)


def open_any(secrets: Iterable[bytes], group: Group, message: PrivateMessage) -> int:
    """Take each secret for the sender data secret of a message's epoch, or for the epoch's own."""
    found = 0
    for secret in secrets:
        derived = derive_secret(group.suite, secret, "sender data")
        for candidate in (secret, derived):
            keys = MessageKeys(
                group.suite,
                group_id=group.group_id,
                epoch=message.epoch,
                context=b"",
                sender_data=SenderDataSecret(candidate),
                tree=group._state.keys.tree,
            )
            with suppress(DecryptionError):
                keys.open_sender(message)
                found += 1
    return found


@pytest.fixture(scope="module")
def loot(tmp_path_factory: pytest.TempPathFactory) -> Loot:
    return anyio.run(play, tmp_path_factory.mktemp("isolation"), backend="trio")


def test_a_member_reads_what_waits_at_the_relay(loot: Loot) -> None:
    _, group = stolen(loot.member, loot.conversation)
    assert follow(group, loot.payloads(), merge=True) == UNREAD, "the attack itself does not work"


@pytest.mark.parametrize("merge", [False, True])
def test_a_removed_member_who_kept_everything_reads_nothing_more(loot: Loot, merge: bool) -> None:  # noqa: FBT001
    _, group = stolen(kept(loot.removed), loot.conversation)
    assert group is not None
    assert follow(group, loot.payloads(), merge=merge) == []
    welcomed = join(kept(loot.removed), loot.payloads())
    assert [follow(one, loot.payloads(), merge=True) for one in welcomed] == []


def test_no_secret_of_a_removed_member_opens_even_the_sender_data(loot: Loot) -> None:
    _, before = stolen(kept(loot.removed), loot.conversation)
    _, now = stolen(loot.member, loot.conversation)
    assert before is not None
    assert now is not None
    old, new = before.epoch, now.epoch
    messages = [one for one in private_messages(loot) if one.group_id == loot.conversation]
    assert {one.epoch for one in messages} >= {old, new}
    after = next(one for one in messages if one.epoch == new)
    secrets = all_secrets(kept(loot.removed), loot.conversation)
    assert open_any(secrets, before, after) == 0
    earlier = next(one for one in messages if one.epoch == old)
    assert open_any(secrets, before, earlier) > 0, "the attack itself does not work"
    assert open_any(all_secrets(loot.member, loot.conversation), now, after) > 0


def private_messages(loot: Loot) -> list[PrivateMessage]:
    found = []
    for payload in loot.payloads():
        with suppress(E2EError):
            message = decode_message(payload)
            if (
                isinstance(message, PrivateMessage)
                and message.content_type == ContentType.APPLICATION
            ):
                found.append(message)
    return found


def test_somebody_who_was_never_a_member_reads_nothing(loot: Loot) -> None:
    _, group = stolen(loot.outsider, loot.conversation)
    assert group is None
    assert join(loot.outsider, loot.payloads()) == []


@pytest.mark.clause("NPS-5.2.1.4")
def test_the_wire_and_the_relays_database_hold_nothing_in_clear(loot: Loot) -> None:
    seen = b"\0".join((*loot.sent, *loot.received, *loot.relay_values))
    assert b"alice" in seen, "handles are the directory's"
    assert len(loot.payloads()) > len(EVERYTHING)
    assert [text for text in EVERYTHING if text.encode() in seen] == []


@pytest.mark.clause("MPS82-9.5")
def test_the_relay_takes_nothing_from_a_removed_member(loot: Loot) -> None:
    assert loot.refusals == [ErrorCode.NOT_A_MEMBER] * 6
