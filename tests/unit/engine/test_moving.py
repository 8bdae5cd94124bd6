"""An account that moves to another device: never two that have it, never none."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore.engine.own_devices import arriving, moving
from e2ecore.testing import devices
from e2ecore.testing.devices import open_device
from e2ecore_protocol.frames.accounts import AppendChain
from e2ecore_protocol.frames.session import Ok
from tests.support.engines import group_of, history, pair, same, texts, until
from tests.support.linked import move, phone_laptop_bob

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]


async def test_an_account_moves_and_goes_on_where_it_was(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        chat, at_bobs = await pair(phone, bob)
        group, bobs_group = await group_of([phone, bob])
        at_phone, at_bob = phone.events(), bob.events()
        await (await chat.send("before")).accepted()
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            at_laptop = laptop.events()
            device_id = await move(phone, laptop)
            gone = await until(at_phone, e2ecore.AccountMoved)
            assert gone.device_id == device_id
            there = [await same(laptop, one) for one in (chat, group)]
            await (await at_bobs.send("after")).accepted()
            await (await bobs_group.send("to the team")).accepted()
            assert sorted(await texts(at_laptop, 2)) == ["after", "to the team"]
            await (await there[0].send("from the laptop")).accepted()
            assert await texts(at_bob, 2) == ["before", "from the laptop"]
            assert [one.text for one in await chat.messages() if one.text] == ["before"]
            with pytest.raises(e2ecore.ConversationReadOnlyError):
                await chat.send("too late")
            with pytest.raises(e2ecore.AccountMovedError):
                await phone.contacts.find("carol")
            shown = {one.device_id: one for one in await phone.devices.list()}
            assert shown[gone.device_id].removed_ms is None
            assert [one.removed_ms is None for one in shown.values() if one.is_this] == [False]
            assert await history(there[0])


async def test_a_relay_that_answers_and_does_nothing_costs_nobody_the_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Ok is no knowledge: the key is erased only when the relay turns the old device away."""
    monkeypatch.setattr(moving, "_MOVED_S", 0.3)
    monkeypatch.setattr(arriving, "_LOOK_S", 0.01)
    monkeypatch.setattr(arriving, "_RETRY_S", 0.02)
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        chat, _ = await pair(phone, bob)
        at_bob = bob.events()
        honest = relay.people.append

        def lie(_account_id: bytes, frame: AppendChain) -> Ok:
            return Ok(frame.request)

        monkeypatch.setattr(relay.people, "append", lie)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            with pytest.raises(BaseExceptionGroup) as ended:
                await move(phone, laptop)
            assert ended.group_contains(e2ecore.MoveUnfinishedError)
            assert laptop.account is None
            await (await chat.send("still mine")).accepted()
            assert await texts(at_bob, 1) == ["still mine"]
            with pytest.raises(e2ecore.AccountMovingError):
                async with phone.devices.move():
                    pass
            with pytest.raises(e2ecore.AlreadyRegisteredError):
                await laptop.register("carol")  # the account may come at any time
        monkeypatch.setattr(relay.people, "append", honest)
        at_phone = phone.events()
        relay.disconnect()
        await phone.reconnect()
        await until(at_phone, e2ecore.AccountMoved)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            there = await same(laptop, chat)
            await (await there.send("from the laptop")).accepted()
            assert await texts(at_bob, 1) == ["from the laptop"]


async def test_what_somebody_wrote_while_away_reaches_the_new_device(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (relay, (phone,)):
        async with await open_device(tmp_path / "bob.db", relay.dial) as bob:
            await bob.register("bob")
            chat, at_bobs = await pair(phone, bob)
            relay.faults.offline = True
            relay.disconnect()
            await at_bobs.send("written offline")
        relay.faults.offline = False
        await phone.reconnect()
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            at_laptop = laptop.events()
            await phone.caught_up()
            await move(phone, laptop)
            async with await open_device(tmp_path / "bob.db", relay.dial):
                assert await texts(at_laptop, 1) == ["written offline"]
        assert await history(chat) == []


async def test_who_refuses_or_has_another_code_moves_nothing(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (relay, (phone,)):
        async with (
            await open_device(tmp_path / "laptop.db", relay.dial) as laptop,
            phone.devices.move() as linking,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(linking.joined)
            async with laptop.devices.join(linking.code.text) as joining:
                await linking.refuse()
                with pytest.raises(e2ecore.RendezvousOverError):
                    await joining.finished()
            assert laptop.account is None
        async with (
            await open_device(tmp_path / "other.db", relay.dial) as other,
            phone.devices.move() as linking,
        ):
            secret = f"{(int(linking.code.secret) + 1) % 1_000_000:06}"
            guess = e2ecore.LinkCode(linking.code.number, secret)

            async def guessed(text: str) -> type[Exception]:
                try:
                    async with other.devices.join(text):
                        return AssertionError
                except e2ecore.E2EError as error:
                    return type(error)

            async with anyio.create_task_group() as tasks:

                async def wait() -> None:
                    with pytest.raises(e2ecore.RendezvousOverError):
                        await linking.joined()

                tasks.start_soon(wait)
                assert await guessed(guess.text) is e2ecore.WrongLinkCodeError
            assert await guessed(linking.code.text) is e2ecore.RelayRefusedError
        assert (await phone.devices.list())[0].removed_ms is None


async def test_a_linked_device_cannot_move_the_account(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_relay, _phone, laptop, _bob):
        with pytest.raises(e2ecore.NotHolderError):
            async with laptop.devices.move():
                pass
