"""Two devices of one account: linked, talking, removed."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore.engine.own_devices import arriving
from e2ecore.linking.keys import LinkBrokenError
from e2ecore.storage.account import AccountRow, AccountState
from e2ecore.testing import devices
from e2ecore.testing.devices import PASSPHRASE, open_device
from e2ecore_protocol.chain import device_id_of, extend, start
from e2ecore_protocol.content.linking import Linked
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.session import Ok
from e2ecore_protocol.limits import MAX_DEVICES
from tests.support.chains import added, device, genesis, granted, verify
from tests.support.chains import entry as chain_entry
from tests.support.engines import PATIENCE_S, agree, group_of, history, pair, same, texts, until
from tests.support.lies import add_device, keys_of
from tests.support.linked import comes_true, link, phone_laptop_bob, settled

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]


def own(engine: e2ecore.Engine) -> e2ecore.Account:
    assert engine.account is not None
    return engine.account


async def test_a_linked_device_hears_and_says_what_the_other_one_does(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_relay, phone, laptop, bob):
        assert own(laptop).account_id == own(phone).account_id
        at_laptop, at_bob, at_phone = laptop.events(), bob.events(), phone.events()
        chat, at_bobs = await pair(phone, bob)
        on_laptop = await same(laptop, chat)
        await settled(phone)
        await (await chat.send("from the phone")).accepted()
        assert await texts(at_bob, 1) == ["from the phone"]
        shown = (await until(at_laptop, e2ecore.MessageReceived)).message
        assert (shown.text, shown.mine) == ("from the phone", True)
        await (await on_laptop.send("from the laptop")).accepted()
        assert await texts(at_bob, 1) == ["from the laptop"]
        assert await texts(at_phone, 1) == ["from the laptop"]
        await (await at_bobs.send("to both")).accepted()
        assert await texts(at_laptop, 1) == await texts(at_phone, 1) == ["to both"]
        assert [one.mine for one in await on_laptop.messages() if one.text] == [True, True, False]
        await on_laptop.refresh()
        assert on_laptop.unread == 1, "what we have written ourselves is not unread"


async def test_a_device_comes_into_the_conversations_that_were_there_before(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        chat, _ = await pair(phone, bob)
        group, _ = await group_of([phone, bob])
        at_bob = bob.events()
        await (await chat.send("before")).accepted()
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            await link(phone, laptop)
            there = [await same(laptop, one) for one in (chat, group)]
            await settled(phone)
            await (await there[1].send("hello team")).accepted()
            assert await texts(at_bob, 2) == ["before", "hello team"]
            assert await history(there[0]) == [], "a new device gets no history"
            assert len(await there[1].members()) == 2


async def test_nothing_is_linked_without_consent(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_relay, (phone,)):
        with pytest.raises(e2ecore.ConsentRequiredError) as refused:
            async with phone.devices.link():
                pass
        assert refused.value.purpose == "multi_device_sync"


async def test_a_device_that_has_an_account_takes_no_code_from_anywhere(tmp_path: Path) -> None:
    """Typed, scanned, out of a chat or a file: there is one call that takes one, and it refuses."""
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, bob):
        await agree(bob, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with bob.devices.link() as linking, anyio.create_task_group() as tasks:
            for one in (phone, laptop):
                for code in (linking.code.text, linking.code.qr):
                    with pytest.raises(e2ecore.AlreadyRegisteredError):
                        async with one.devices.join(code):
                            pass
            tasks.start_soon(linking.joined)
            opened = await open_device(tmp_path / "new.db", relay.dial)
            async with opened as new, new.devices.join(linking.code.text) as joining:
                assert joining.handle == "bob", "and the code was not spent on it"


async def test_a_seventh_device_is_not_linked(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, _laptop, _bob):
        identity = (await keys_of(phone)).identity
        for _ in range(MAX_DEVICES - 2):
            await add_device(relay, phone, identity)
        relay.disconnect()
        await phone.reconnect()

        async def all_known() -> bool:
            return len(await phone.devices.list()) == MAX_DEVICES

        await comes_true(all_known)
        with pytest.raises(e2ecore.TooManyDevicesError):
            async with phone.devices.link():
                pass


async def test_only_the_passphrase_confirms_and_only_after_comparing(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (relay, (phone,)):
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with (
            await open_device(tmp_path / "laptop.db", relay.dial) as laptop,
            phone.devices.link() as linking,
            anyio.create_task_group() as tasks,
        ):
            with pytest.raises(e2ecore.NotComparedError):
                await linking.confirm(PASSPHRASE)
            tasks.start_soon(linking.joined)
            async with laptop.devices.join(linking.code.qr) as joining:
                assert joining.handle == "alice"
                with pytest.raises(e2ecore.WrongKeyError):
                    await linking.confirm("not the passphrase")
                await linking.refuse()
                with pytest.raises(e2ecore.RendezvousOverError):
                    await joining.finished()
            assert laptop.account is None
            assert len(await phone.devices.list()) == 1


async def test_a_code_serves_once(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (relay, (phone,)):
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with (
            await open_device(tmp_path / "one.db", relay.dial) as one,
            await open_device(tmp_path / "two.db", relay.dial) as two,
            phone.devices.link() as linking,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(linking.joined)
            async with one.devices.join(linking.code.text):
                with pytest.raises(e2ecore.RelayRefusedError):
                    async with two.devices.join(linking.code.text):
                        pass


async def test_a_wrong_code_burns_the_right_one(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (relay, (phone,)):
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with (
            await open_device(tmp_path / "laptop.db", relay.dial) as laptop,
            phone.devices.link() as linking,
        ):
            secret = f"{(int(linking.code.secret) + 1) % 1_000_000:06}"
            guess = e2ecore.LinkCode(linking.code.number, secret)
            ends: list[Exception] = []

            async def wait() -> None:
                try:
                    await linking.joined()
                except e2ecore.E2EError as error:
                    ends.append(error)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                with pytest.raises(e2ecore.WrongLinkCodeError):
                    async with laptop.devices.join(guess.text):
                        pass
            assert isinstance(ends[0], e2ecore.RendezvousOverError)
            with pytest.raises(e2ecore.RelayRefusedError):
                async with laptop.devices.join(linking.code.text):
                    pass


async def test_a_removed_device_is_sent_away_and_every_conversation_gets_new_keys(
    tmp_path: Path,
) -> None:
    async with phone_laptop_bob(tmp_path) as (_relay, phone, laptop, bob):
        at_bob, at_laptop = bob.events(), laptop.events()
        chat, _ = await pair(phone, bob)
        on_laptop = await same(laptop, chat)
        await settled(phone)
        epoch = (await same(phone, chat)).epoch
        news = await phone.devices.news()
        assert [one.is_this for one in news.added] == [False]
        await phone.devices.remove(own(laptop).device_id)
        gone_for = await until(at_laptop, e2ecore.ThisDeviceRemoved)
        assert gone_for.reason is e2ecore.RemovalReason.REMOVED
        await settled(phone)
        await chat.refresh()
        assert chat.epoch > epoch
        await (await chat.send("after")).accepted()
        assert await texts(at_bob, 1) == ["after"]
        with pytest.raises(e2ecore.DeviceErasedError):
            await history(on_laptop)
        gone = (await phone.devices.list())[-1]
        assert gone.removed_ms is not None
        assert not gone.counts
        with pytest.raises(e2ecore.UnknownOwnDeviceError):
            await phone.devices.remove(gone.device_id)
        await phone.devices.seen()
        assert not (await phone.devices.news()).added


async def test_a_linked_device_can_change_nothing_of_the_account(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_relay, phone, laptop, _bob):
        with pytest.raises(e2ecore.NotHolderError):
            async with laptop.devices.link():
                pass
        with pytest.raises(e2ecore.NotHolderError):
            await laptop.devices.remove(own(phone).device_id)
        with pytest.raises(e2ecore.NotHolderError):
            await agree(laptop, e2ecore.Purpose.READ_RECEIPTS)
        with pytest.raises(e2ecore.NotHolderError):
            await laptop.consents.withdraw("multi_device_sync")
        with pytest.raises(e2ecore.OnlyDeviceError):
            await phone.devices.remove(own(phone).device_id)


async def test_withdrawing_the_consent_removes_the_other_devices(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_relay, phone, laptop, bob):
        at_laptop = laptop.events()
        chat, _ = await pair(phone, bob)
        await same(laptop, chat)
        await settled(phone)
        await phone.consents.withdraw(e2ecore.Purpose.MULTI_DEVICE_SYNC)
        await phone.consents.settled()
        while (await until(at_laptop, e2ecore.ConnectionChanged)).error is None:
            pass
        await settled(phone)
        with anyio.fail_after(PATIENCE_S):
            assert [one.counts for one in await phone.devices.list()] == [True, False]


async def test_who_leaves_on_one_device_leaves_on_the_other(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_relay, phone, laptop, bob):
        group, at_bobs = await group_of([phone, bob])
        there = await same(laptop, group)
        await settled(phone)
        await group.leave()
        with anyio.fail_after(PATIENCE_S):
            while len(await at_bobs.members()) > 1:
                await anyio.sleep(0.02)
                await at_bobs.refresh()
        await there.refresh()
        assert there.state in {e2ecore.ConversationState.LEFT, e2ecore.ConversationState.REMOVED}


async def test_an_interrupted_arrival_goes_on_when_the_device_is_opened_again(
    tmp_path: Path,
) -> None:
    async with devices(tmp_path, "bob") as (relay, (bob,)):
        async with await open_device(tmp_path / "phone.db", relay.dial) as phone:
            await phone.register("alice")
            groups = [(await group_of([phone, bob], f"group {n}"))[0] for n in range(6)]
            await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
            laptop = await open_device(tmp_path / "laptop.db", relay.dial)
            async with laptop:
                await link(phone, laptop)
                waiting = [one.waiting for one in await phone.devices.list() if not one.is_this]
                relay.faults.offline = True
                relay.disconnect()
        assert len(waiting[0]) > 1, "the wishes are stored with the chain, before any commit"
        relay.faults.offline = False
        async with (
            await open_device(tmp_path / "phone.db", relay.dial) as phone,
            await open_device(tmp_path / "laptop.db", relay.dial) as laptop,
        ):
            await settled(phone)
            for one in groups:
                await same(laptop, one)


async def test_a_device_whose_last_word_was_lost_finds_out_by_itself(tmp_path: Path) -> None:
    """The key is stored before anybody can have it in a chain; the relay is asked what came."""
    async with devices(tmp_path, "alice") as (relay, (phone,)):
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:

            def lose(_device: bytes, answer: Frame) -> Frame | None:
                if isinstance(answer, Ok) and relay.people.accounts[account].state.head_seq > 2:
                    relay.faults.offline = True
                return answer

            account = own(phone).account_id
            relay.faults.answers.append(lose)
            async with phone.devices.link() as linking, anyio.create_task_group() as tasks:

                async def confirm() -> None:
                    await linking.joined()
                    await linking.confirm(PASSPHRASE)

                tasks.start_soon(confirm)
                async with laptop.devices.join(linking.code.text) as joining:
                    with pytest.raises(e2ecore.TransientError):
                        await joining.finished()
            assert laptop.account is None
        relay.faults.answers.clear()
        relay.faults.offline = False
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            with anyio.fail_after(PATIENCE_S):
                while laptop.account is None:  # noqa: ASYNC110 - nobody tells
                    await anyio.sleep(0.02)
                await laptop.caught_up()
            assert own(laptop).account_id == account


def test_a_new_device_takes_no_other_chain_than_the_existing_one_has() -> None:
    """Somebody who has the account's key as well cannot show it a second past of the account."""
    state = start([genesis()], verify)
    entries = [genesis()]
    for body in (added(state, 1), granted(), None):
        fresh = chain_entry(state, body or added(state, 2))
        entries.append(fresh)
        state = extend(state, [fresh], verify)
    me = device_id_of(bytes(device(2).verify_key))
    row = AccountRow(state.account_id, me, b"", b"", "alice", "", "", AccountState.LINKING, 1)
    encoded = tuple(one.encode() for one in entries)
    told = Linked("Alice", state.head_seq, state.head_hash)
    assert arriving._check_chain(encoded, row, told).head_hash == state.head_hash
    assert arriving._check_chain(encoded, row, None).head_hash == state.head_hash
    for wrong in (
        Linked("Alice", state.head_seq, bytes(32)),
        Linked("Alice", state.head_seq + 1, state.head_hash),
    ):
        with pytest.raises(LinkBrokenError, match="another chain than the other device has"):
            arriving._check_chain(encoded, row, wrong)
    for short in (encoded[:-1], encoded[:1], ()):
        with pytest.raises(LinkBrokenError):
            arriving._check_chain(short, row, told)
