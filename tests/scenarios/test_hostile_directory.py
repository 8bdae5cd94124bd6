"""A relay that lies about people: their chains, their devices, their key packages.

Each lie is refused with an error or event that names it, and once the relay is honest again,
everything flows.
"""

from dataclasses import replace
from pathlib import Path

import pytest

import e2ecore
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.signing import ED25519
from e2ecore.testing import devices, two_devices
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.key_packages import KeyPackages
from tests.support.engines import pair, until
from tests.support.lies import add_device, consent, grow_chain, key_package, keys_of, still_fine

pytestmark = [pytest.mark.anyio, pytest.mark.clause("NPS-5.2.1.4")]


async def test_a_chain_that_became_shorter_is_noticed(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice = alice.events()
        account = relay.people.accounts[(await keys_of(bob)).account_id]
        entries, state = list(account.entries), account.state
        await grow_chain(relay, bob, consent())
        contact = await alice.contacts.find("bob")
        account.entries, account.state = entries, state
        relay.disconnect()
        await alice.reconnect()
        found = await until(at_alice, e2ecore.ContactChainInvalid)
        assert found.account_id == contact.account_id
        await still_fine(alice, bob)


async def test_a_chain_with_two_futures_is_noticed(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice = alice.events()
        account = relay.people.accounts[(await keys_of(bob)).account_id]
        entries, state = list(account.entries), account.state
        await grow_chain(relay, bob, consent(1))
        contact = await alice.contacts.find("bob")
        account.entries, account.state = entries, state
        await grow_chain(relay, bob, consent(2))
        with pytest.raises(e2ecore.ChainInvalidError):
            await alice.contacts.find("bob")
        assert (await until(at_alice, e2ecore.ContactChainInvalid)).account_id == contact.account_id


@pytest.mark.spec("CHN-33")
async def test_two_people_who_compare_find_that_they_were_shown_two_futures(
    tmp_path: Path,
) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, (alice, bob, carol)):
        chat, _ = await pair(alice, bob)
        account = relay.people.accounts[(await keys_of(bob)).account_id]
        entries, state = list(account.entries), account.state
        before = (await alice.contacts.find("bob")).checkpoint()
        await grow_chain(relay, bob, consent(1))
        seen_by_alice = await alice.contacts.find("bob")
        account.entries, account.state = entries, state
        await grow_chain(relay, bob, consent(2))
        seen_by_carol = await carol.contacts.find("bob")
        await seen_by_carol.compare_checkpoint(before)
        await seen_by_carol.compare_checkpoint(seen_by_carol.checkpoint())
        with pytest.raises(e2ecore.ChainForkedError):
            await seen_by_alice.compare_checkpoint(seen_by_carol.checkpoint())
        assert seen_by_alice.verification is e2ecore.Verification.CHANGED
        with pytest.raises(e2ecore.ContactChangedError):
            await chat.send("to whom?")
        await seen_by_alice.mark_unverified()
        await chat.send("accepted")
        for wrong in (b"", seen_by_alice.checkpoint()[:-1], b"\x00" * 62):
            with pytest.raises(e2ecore.BadCheckpointError):
                await seen_by_carol.compare_checkpoint(wrong)
        others = (await alice.contacts.find("carol")).checkpoint()
        with pytest.raises(e2ecore.BadCheckpointError):
            await seen_by_alice.compare_checkpoint(others)


async def test_a_relay_that_shows_less_to_one_of_two_is_found_when_they_compare(
    tmp_path: Path,
) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, (alice, bob, carol)):
        to_bob = await alice.contacts.find("bob")
        account = relay.people.accounts[(await keys_of(bob)).account_id]
        entries, state = list(account.entries), account.state
        await grow_chain(relay, bob, consent())
        newer = (await carol.contacts.find("bob")).checkpoint()
        grown = account.entries, account.state
        account.entries, account.state = entries, state
        with pytest.raises(e2ecore.ChainWithheldError):
            await to_bob.compare_checkpoint(newer)
        account.entries, account.state = grown
        await to_bob.compare_checkpoint(newer)
        assert to_bob.checkpoint() == newer
        (phone,) = to_bob.devices
        assert (phone.device_id, phone.removed_ms, phone.is_valid) == (
            (await keys_of(bob)).device_id, None, True,
        )  # fmt: skip


async def test_a_device_that_the_relay_invents_is_refused(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice = alice.events()
        contact = await alice.contacts.find("bob")
        await add_device(relay, bob, ED25519.generate(system_rng))
        with pytest.raises(e2ecore.ChainInvalidError):
            await alice.contacts.find("bob")
        await until(at_alice, e2ecore.ContactChainInvalid)
        assert len((await alice.contacts.get(contact.account_id)).device_ids) == 1
        with pytest.raises(e2ecore.PeerError):
            await (await alice.conversations.direct(contact)).ready()


@pytest.mark.clause("GB42012-8.1.1d")
async def test_a_second_device_without_consent_is_refused_by_other_clients(tmp_path: Path) -> None:
    """The relay serves it, and the account itself signed it: only the consent is missing."""
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, (alice, bob, carol)):
        at_alice = alice.events()
        contacts = [await alice.contacts.find(name) for name in ("bob", "carol")]
        await add_device(relay, bob, (await keys_of(bob)).identity)
        group = await alice.conversations.create_group("team", contacts)
        with pytest.raises(e2ecore.E2EError) as refusal:
            await group.ready()
        assert type(refusal.value).__name__ == "ForeignLeafError"
        assert "consent" in (await until(at_alice, e2ecore.ContactChainInvalid)).error.lower()
        assert group.conversation_id not in relay.logs, "it was made all the same"
        del carol


@pytest.mark.clause("GB42012-8.1.1d")
async def test_with_consent_the_second_device_is_a_member(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        await grow_chain(relay, bob, consent())
        second = await add_device(relay, bob, (await keys_of(bob)).identity)
        group = await alice.conversations.create_group("team", [await alice.contacts.find("bob")])
        await group.ready()
        seated = {device for member in await group.members() for device in member.device_ids}
        assert second in seated


async def test_the_key_package_of_somebody_else_is_refused(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "eve") as (relay, (alice, bob, eve)):
        eves = await keys_of(eve)

        def exchange(_device: bytes, answer: Frame) -> Frame:
            if not isinstance(answer, KeyPackages):
                return answer
            stolen = relay.people._packages[eves.device_id][0]
            return replace(
                answer,
                packages=tuple(one._replace(key_package=stolen) for one in answer.packages),
            )

        relay.faults.answers.append(exchange)
        chat = await alice.conversations.direct(await alice.contacts.find("bob"))
        await chat.send("for bob alone")
        with pytest.raises(e2ecore.PeerError):
            await chat.ready()
        relay.faults.clear()
        await still_fine(alice, bob)
        assert await eve.conversations.list() == []


async def test_a_key_package_that_the_relay_made_is_refused(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        own = await keys_of(bob)
        forged = key_package(ED25519.generate(system_rng), own.account_id + own.device_id)

        def forge(_device: bytes, answer: Frame) -> Frame:
            if not isinstance(answer, KeyPackages):
                return answer
            packages = tuple(one._replace(key_package=forged) for one in answer.packages)
            return replace(answer, packages=packages)

        relay.faults.answers.append(forge)
        chat = await alice.conversations.direct(await alice.contacts.find("bob"))
        with pytest.raises(e2ecore.PeerError):
            await chat.ready()
        relay.faults.clear()
        await still_fine(alice, bob)
