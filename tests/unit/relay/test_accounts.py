"""Registration, authentication, chains and handles, over real sockets."""

from dataclasses import replace
from pathlib import Path

import pytest
from nacl.signing import VerifyKey

from e2ecore_protocol.chain.bodies import (
    MULTI_DEVICE_SYNC,
    AccountClosed,
    Body,
    ConsentGranted,
    DeviceAdded,
    DeviceRemoved,
    RemovalReason,
)
from e2ecore_protocol.chain.entry import Entry
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    Account,
    AppendChain,
    Authenticate,
    ChainHead,
    ChainHeads,
    Failed,
    FetchChain,
    FetchHeads,
    Frame,
    GoAway,
    LookupHandle,
    Ok,
    Ready,
    Refused,
    Register,
)
from e2ecore_protocol.frames.delivery import Delivery, EnvelopeKind
from e2ecore_protocol.frames.notices import decode_notice
from e2ecore_protocol.frames.removals import DevicesErased, device_receipt_message
from e2ecore_relay.server.relay import Relay
from tests.support.raw_client import KeyPair, Person, RawClient, online, stranger
from tests.support.relay import relay_at, where

pytestmark = pytest.mark.anyio

CONSENT = ConsentGranted(bytes(16), MULTI_DEVICE_SYNC, bytes(32), bytes(32), None)


def entries(*some: Entry) -> tuple[bytes, ...]:
    return tuple([entry.encode() for entry in some])


def grow(person: Person, body: Body) -> Entry:
    """Return the entry that says this, and count it as appended."""
    entry = person.entry(body)
    person.entries.append(entry)
    return entry


def grow_device(person: Person, device: KeyPair) -> Entry:
    entry = person.device_entry(device)
    person.entries.append(entry)
    return entry


async def refusal(client: RawClient, frame: Frame) -> Failed:
    answer = await client.ask(frame, Frame)
    assert isinstance(answer, Failed), answer
    return answer


async def end_of(client: RawClient) -> GoAway:
    while not isinstance(frame := await client.next(), GoAway):
        pass
    return frame


async def noticed(client: RawClient) -> Delivery:
    """Return the first notice."""
    while True:
        for one in client.delivered:
            if one.kind == EnvelopeKind.NOTICE:
                return one
        await client.wait_for(len(client.delivered) + 1)


async def test_a_handle_leads_to_the_whole_chain(relay: Relay) -> None:
    alice = Person("alice")
    async with online(*where(relay), alice), online(*where(relay)) as bob:
        answer = await bob.ask(LookupHandle(3, "alice"), Account)
        assert answer == Account(3, alice.account_id, "alice", entries(*alice.entries), 1)
        page = await bob.ask(FetchChain(4, alice.account_id, 1), Account)
        assert page == Account(4, alice.account_id, "alice", entries(alice.entries[1]), 1)
        heads = await bob.ask(FetchHeads(5, (alice.account_id, bytes(20))), ChainHeads)
        head = ChainHead(alice.account_id, 1, alice.entries[1].hash())
        assert heads == ChainHeads(5, (head,))
        assert (await refusal(bob, LookupHandle(6, "nobody"))).code is ErrorCode.UNKNOWN_HANDLE
        unknown = await refusal(bob, FetchChain(7, bytes(20), 0))
        assert (unknown.code, unknown.data) == (ErrorCode.UNKNOWN_ACCOUNT, bytes(20))


async def test_the_same_registration_again_is_answered_as_at_first(relay: Relay) -> None:
    alice = Person("alice")
    async with stranger(*where(relay), alice) as client:
        await client.register()
        await client.register()
        await client.authenticate()


async def test_a_taken_handle_is_refused_and_nothing_is_made(relay: Relay) -> None:
    async with online(*where(relay), Person("alice")):
        other = Person("alice")
        async with stranger(*where(relay), other) as client:
            frame = Register(1, entries(*other.entries), "alice")
            assert (await refusal(client, frame)).code is ErrorCode.HANDLE_TAKEN
            await client.send(client.proof())
            assert (await end_of(client)).code is ErrorCode.UNKNOWN_ACCOUNT


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param("signature", ErrorCode.BAD_SIGNATURE, id="signature of the second entry"),
        pytest.param("possession", ErrorCode.BAD_SIGNATURE, id="proof of possession"),
        pytest.param("bytes", ErrorCode.CHAIN_INVALID, id="not an entry"),
        pytest.param("order", ErrorCode.CHAIN_INVALID, id="device before genesis"),
    ],
)
async def test_a_chain_with_one_fault_is_refused(relay: Relay, fault: str, code: ErrorCode) -> None:
    person = Person()
    genesis, added = person.entries
    bad = {
        "signature": entries(genesis, replace(added, signature=bytes(64))),
        "possession": entries(genesis, _stolen_device(person)),
        "bytes": (genesis.encode(), b"\x90"),
        "order": entries(added, genesis),
    }[fault]
    async with stranger(*where(relay), person) as client:
        assert (await refusal(client, Register(1, bad, None))).code is code


def _stolen_device(person: Person) -> Entry:
    """An entry that adds a device without its consent: the proof is by another key."""
    genesis, added = person.entries
    good = added.parse_body()
    assert isinstance(good, DeviceAdded)
    person.entries = [genesis]
    return person.entry(replace(good, device_key=KeyPair.make().public))


async def test_the_signature_counts_for_this_connection_only(relay: Relay) -> None:
    alice = Person()
    async with online(*where(relay), alice) as first, stranger(*where(relay), alice) as second:
        await second.send(first.proof())
        assert (await end_of(second)).code is ErrorCode.BAD_SIGNATURE


async def test_unknown_devices_and_versions_do_not_come_in(relay: Relay) -> None:
    alice = Person()
    async with online(*where(relay), alice):
        async with stranger(*where(relay), alice) as client:
            await client.send(client.proof(KeyPair.make()))
            assert (await end_of(client)).code is ErrorCode.UNKNOWN_DEVICE
        async with stranger(*where(relay), alice) as client:
            good = client.proof()
            await client.send(Authenticate(2, good.account_id, good.device_id, good.signature))
            assert (await end_of(client)).code is ErrorCode.VERSION_UNSUPPORTED


async def test_a_second_device_needs_consent_first(relay: Relay) -> None:
    alice, phone = Person(), KeyPair.make()
    async with online(*where(relay), alice) as client:
        early = AppendChain(2, entries(alice.device_entry(phone)))
        refused = await refusal(client, early)
        assert (refused.code, refused.data) == (ErrorCode.CONSENT_REQUIRED, MULTI_DEVICE_SYNC)
        both = AppendChain(3, entries(grow(alice, CONSENT), grow_device(alice, phone)))
        assert await client.ask(both, Ok) == Ok(3)
        assert await client.ask(replace(both, request=4), Ok) == Ok(4)
        async with stranger(*where(relay), alice) as second:
            await second.send(second.proof(phone))
            assert isinstance(await second.next(), Ready)


async def test_the_slower_of_two_devices_is_told_the_head(relay: Relay) -> None:
    alice = Person()
    async with online(*where(relay), alice) as client:
        late = alice.entry(DeviceRemoved(alice.device_id))
        assert await client.ask(AppendChain(2, entries(grow(alice, CONSENT))), Ok) == Ok(2)
        conflict = await refusal(client, AppendChain(3, entries(late)))
        assert (conflict.code, conflict.data) == (ErrorCode.CHAIN_CONFLICT, 2)


async def test_a_removed_device_is_disconnected_and_reads_nothing_more(relay: Relay) -> None:
    alice, phone, bob = Person(), KeyPair.make(), Person()
    async with online(*where(relay), alice) as first, online(*where(relay), bob) as b:
        added = entries(grow(alice, CONSENT), grow_device(alice, phone))
        assert await first.ask(AppendChain(2, added), Ok) == Ok(2)
        group = await b.group(alice)
        async with stranger(*where(relay), alice) as second:
            await second.send(second.proof(phone))
            assert isinstance(await second.next(), Ready)
            gone = AppendChain(3, entries(grow(alice, DeviceRemoved(alice.device_id))))
            assert isinstance(await second.ask(gone, Ok), Ok)
            assert (await end_of(first)).code is ErrorCode.DEVICE_REVOKED
        await b.submit(group, b"unread")
        async with stranger(*where(relay), alice) as third:
            await third.send(third.proof())
            assert (await end_of(third)).code is ErrorCode.DEVICE_REVOKED
        (result,) = await b.submit(group, b"still there")
        assert not isinstance(result, Refused)


async def test_a_closed_account_cannot_connect_and_keeps_its_handle(relay: Relay) -> None:
    alice = Person("alice")
    async with online(*where(relay), alice) as client:
        assert await client.ask(AppendChain(2, entries(grow(alice, AccountClosed()))), Ok) == Ok(2)
        async with stranger(*where(relay), alice) as again:
            await again.send(again.proof())
            assert (await end_of(again)).code is ErrorCode.ACCOUNT_CLOSED
        other = Person("alice")
        async with stranger(*where(relay), other) as thief:
            frame = Register(1, entries(*other.entries), "alice")
            assert (await refusal(thief, frame)).code is ErrorCode.HANDLE_TAKEN


async def test_a_removed_device_is_shown_the_entries_that_say_so_and_the_others_a_receipt(
    relay: Relay,
) -> None:
    alice, phone, bob = Person(), KeyPair.make(), Person()
    async with online(*where(relay), alice) as first, online(*where(relay), bob) as b:
        added = entries(grow(alice, CONSENT), grow_device(alice, phone))
        assert await first.ask(AppendChain(2, added), Ok) == Ok(2)
        group = await b.group(alice)
        await b.submit(group, b"waits for both")
        second_id = Person(device=phone).device_id
        removal = DeviceRemoved(second_id, RemovalReason.CONSENT_WITHDRAWN)
        assert await first.ask(AppendChain(3, entries(grow(alice, removal))), Ok) == Ok(3)
        notice = decode_notice((await noticed(first)).payload)
        assert isinstance(notice, DevicesErased)
        (receipt,) = notice.receipts
        assert (receipt.device_id, receipt.reason) == (second_id, 2)
        message = device_receipt_message(
            *(first.challenge.server_name, alice.account_id, second_id),
            reason=2,
            erased=receipt.erased,
            time_ms=receipt.time_ms,
        )
        VerifyKey(notice.receipt_key).verify(message, receipt.signature)
    async with stranger(*where(relay), alice) as third:
        await third.send(third.proof(phone))
        shown = await third.next()
        assert isinstance(shown, Account)
        assert shown.entries == entries(*alice.entries[3:]), "from the one that added it on"
        assert (await end_of(third)).code is ErrorCode.DEVICE_REVOKED
    async with stranger(*where(relay), alice) as forger:
        good = forger.proof(phone)
        await forger.send(replace(good, signature=bytes(64)))
        assert (await end_of(forger)).code is ErrorCode.BAD_SIGNATURE


async def test_with_an_account_all_its_devices_are_sent_away_and_read_nothing_more(
    relay: Relay,
) -> None:
    alice, phone, bob = Person(), KeyPair.make(), Person()
    async with online(*where(relay), alice) as first, online(*where(relay), bob) as b:
        added = entries(grow(alice, CONSENT), grow_device(alice, phone))
        assert await first.ask(AppendChain(2, added), Ok) == Ok(2)
        group = await b.group(alice)
        async with stranger(*where(relay), alice) as second:
            await second.send(second.proof(phone))
            assert isinstance(await second.next(), Ready)
            closed = AppendChain(3, entries(grow(alice, AccountClosed())))
            assert await first.ask(closed, Ok) == Ok(3)
            assert (await end_of(first)).code is ErrorCode.ACCOUNT_CLOSED
            assert (await end_of(second)).code is ErrorCode.ACCOUNT_CLOSED
        await b.submit(group, b"unread")


async def test_a_relay_that_is_closed_for_new_accounts_says_so(tmp_path: Path) -> None:
    alice = Person()
    async with relay_at(tmp_path) as relay, online(*where(relay), alice):
        pass
    async with relay_at(tmp_path, registration=False) as relay:
        async with stranger(*where(relay)) as client:
            frame = Register(1, entries(*client.person.entries), None)
            assert (await refusal(client, frame)).code is ErrorCode.REGISTRATION_CLOSED
        async with online(*where(relay), alice, register=False) as client:
            assert client.challenge.server_name == "localhost"


async def test_registrations_from_one_address_are_limited(tmp_path: Path) -> None:
    limit = {"burst": 1, "per_second": 0.01}
    async with relay_at(tmp_path, registrations_per_address=limit) as relay:
        async with online(*where(relay)):
            pass
        async with stranger(*where(relay)) as client:
            frame = Register(1, entries(*client.person.entries), None)
            limited = await refusal(client, frame)
            assert limited.code is ErrorCode.RATE_LIMITED
            assert 0 < limited.retry_after_ms <= 100_000
