"""What a person calls others, who is a contact, and settings: the same on all their devices."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

import e2ecore
from e2ecore import AccountId, Contact, Engine
from e2ecore.engine.account.settings import MAX_SETTINGS
from e2ecore.engine.own_talk.oplog import say
from e2ecore.engine.running.job import Job
from e2ecore.storage import app_settings, ops, settings
from e2ecore.testing import devices
from e2ecore.testing.devices import open_device
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content.op_bodies import OpBody, Person, Setting
from e2ecore_protocol.limits import MAX_SETTING_BYTES
from e2ecore_protocol.shape import Check, blob, number
from tests.support.engines import agree, handle_of, pair, until
from tests.support.linked import comes_true, link, phone_laptop_bob, run, seated, settled

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]
Seen = Callable[[Contact], bool]


async def shows(engine: Engine, who: bytes, check: Seen) -> Contact:
    """Wait until somebody is known and as they should be."""
    found: list[Contact] = []

    async def checked() -> bool:
        try:
            found[:] = [await engine.contacts.get(AccountId(who))]
        except e2ecore.UnknownAccountError:
            return False
        return check(found[0])

    await comes_true(checked)
    return found[0]


async def listed(engine: Engine) -> set[str | None]:
    return {one.handle for one in await engine.contacts.list()}


def same(one: Engine, other: Engine) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return one._core.read(ops.items) == other._core.read(ops.items)

    return check


async def test_what_somebody_is_called_and_that_they_are_forgotten_shows_on_all_devices(
    tmp_path: Path,
) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        chat, _ = await pair(phone, bob)
        events = laptop.events()
        here = await phone.contacts.find(handle_of(bob))
        assert here.name is None
        await here.set_name("Robert, next door")
        assert here.name == "Robert, next door"
        who = here.account_id
        there = await shows(laptop, who, lambda one: one.name == "Robert, next door")
        assert there.is_contact
        assert (await until(events, e2ecore.ContactEdited)).account_id == who
        named = {one.name for one in await chat.members()}
        assert named == {None, "Robert, next door"}
        at_phone = phone.events()
        await there.mark_verified()
        await there.forget()
        await shows(phone, who, lambda one: not one.is_contact and one.name is None)
        assert (await until(at_phone, e2ecore.ContactEdited)).account_id == who
        assert await phone.contacts.list() == []
        await shows(phone, who, lambda one: one.verification is e2ecore.Verification.VERIFIED)
        await phone.contacts.find(handle_of(bob))
        await shows(laptop, who, lambda one: one.is_contact)
        assert len(await chat.members()) == 2, "who is forgotten stays in the conversation"


async def test_names_that_cannot_be_are_refused(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        contact = await alice.contacts.find(handle_of(bob))
        with pytest.raises(e2ecore.NameTooLongError):
            await contact.set_name("n" * 65)
        oneself = await alice.contacts.find(handle_of(alice))
        for refused in (oneself.set_name("me"), oneself.forget()):
            with pytest.raises(e2ecore.OwnAccountError):
                await refused
        assert await listed(alice) == {handle_of(bob)}
        await contact.set_name("n" * 64)
        await contact.set_name("")
        assert contact.name is None
        assert contact.is_contact


async def test_a_new_device_knows_people_that_were_only_looked_up(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol", "dave") as (relay, (alice, *others)):
        bob, carol, dave = [await alice.contacts.find(handle_of(one)) for one in others]
        await bob.set_name("Robert")
        await dave.forget()
        await alice.settings.set("theme", "dark")
        assert alice._core.read(ops.items) == [], "with one device there is nobody to tell"
        await agree(alice, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            await link(alice, laptop)
            await shows(laptop, bob.account_id, lambda one: one.name == "Robert")
            await shows(laptop, carol.account_id, lambda one: one.is_contact)
            await comes_true(same(alice, laptop))
            assert await listed(laptop) == {"bob", "carol"}
            assert await laptop.settings.get("theme") == "dark"
            there = await laptop.contacts.get(dave.account_id)
            assert there.is_contact, "looked up again"
            await shows(alice, dave.account_id, lambda one: one.is_contact)


async def test_who_only_notes_a_contact_takes_no_name_away(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (relay, (alice, bob)):
        await agree(alice, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            await link(alice, laptop)
            await settled(alice)
            await seated(laptop, 2)
            contact = await alice.contacts.find(handle_of(bob))
            await shows(laptop, contact.account_id, lambda one: one.is_contact)
        async with await open_device(tmp_path / "laptop.db", None) as laptop:
            there = await laptop.contacts.get(contact.account_id)
            await there.set_name("Robert")
            await contact.forget()
            await alice.contacts.find(handle_of(bob))
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            for engine in (alice, laptop):
                await shows(engine, contact.account_id, lambda one: one.name == "Robert")


async def test_settings_of_an_app_are_the_same_on_all_devices(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, _bob):
        await seated(laptop, 2)
        events = laptop.events()
        wanted: dict[str, bool | int | str | bytes] = {
            "theme": "dark", "font_size": -12, "folded": True, "layout": b"\x00\x01",
        }  # fmt: skip
        for name, value in wanted.items():
            await phone.settings.set(name, value)

        async def is_there() -> bool:
            return await laptop.settings.all() == wanted

        await comes_true(is_there)
        assert (await until(events, e2ecore.SettingChanged)).name in wanted
        assert await laptop.settings.get("folded") is True
        await laptop.settings.remove("theme")

        async def is_gone() -> bool:
            return await phone.settings.get("theme") is None

        await comes_true(is_gone)
        assert await phone.settings.get("never_set") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("Theme", 1, id="capital"),
        pytest.param("", 1, id="nothing"),
        pytest.param("n" * 65, 1, id="too long"),
        pytest.param("1st", 1, id="digit first"),
        pytest.param("größe", 1, id="not ASCII"),
        pytest.param("\ud800", 1, id="no text at all"),
        pytest.param("e2e_read_receipts", 1, id="the engine's"),
        pytest.param("theme", "\ud800", id="value that is no text"),
        pytest.param("theme", b"x" * MAX_SETTING_BYTES, id="too much"),
        pytest.param("theme", 1 << 63, id="too great"),
    ],
)
async def test_a_setting_that_cannot_be_is_refused(
    tmp_path: Path, name: str, value: int | str | bytes
) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        with pytest.raises(e2ecore.BadSettingError):
            await alice.settings.set(name, value)
        assert await alice.settings.all() == {}


async def test_there_are_not_too_many_settings(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):

        def fill(job: Job) -> None:
            for one in range(MAX_SETTINGS):
                app_settings.put(job.tx, f"setting_{one}", pack((one,)))

        await run(alice, fill)
        with pytest.raises(e2ecore.BadSettingError):
            await alice.settings.set("one_more", 1)
        await alice.settings.set("setting_0", 2)
        assert await alice.settings.get("setting_0") == 2


@dataclass(frozen=True, slots=True)
class Newer(OpBody):
    """An op of a kind that no version here knows."""

    KIND: ClassVar[int] = 199
    SUBJECT: ClassVar[Check[bytes]] = blob(64)
    SHAPE: ClassVar[tuple[Check[object], ...]] = (number,)
    value: int


@pytest.mark.clause("GB42012-7.3")
async def test_no_op_turns_on_what_needs_a_consent(tmp_path: Path) -> None:
    """Another device of the account is not ours to trust so far: it may have been taken over."""
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        chat, _ = await pair(phone, bob)
        await seated(laptop, 2)
        before = await phone.consents.list()
        begun = phone._core.read(lambda tx: settings.get(tx, "ops_begun"))
        names = ("read_receipts", "presence", "cloud_backup", "youth_mode", "ops_begun")

        def hostile(job: Job) -> None:
            for name in names:
                for subject in (name, f"e2e_{name}"):
                    say(job, subject.encode(), Setting(pack((True,))))
            say(job, b"odd", Setting(b"\xc1"))
            say(job, b"many", Setting(pack((1, 2))))
            say(job, b"read_receipts", Newer(1))
            say(job, job.own.account_id, Person(0, "mallory", "Mallory"))
            say(job, bytes(20), Person(1, "nobody", "Nobody"))

        await run(laptop, hostile)
        await comes_true(same(phone, laptop))
        assert await phone.consents.list() == before
        assert not await chat.shares_reading()
        with pytest.raises(e2ecore.ConsentRequiredError):
            await chat.share_reading(on=True)
        assert await phone.youth_mode.status() is None
        assert phone._core.read(lambda tx: settings.get(tx, "ops_begun")) == begun
        assert phone._core.read(lambda tx: settings.get(tx, "read_receipts")) is None
        assert await phone.settings.all() == dict.fromkeys(names, True), "the app's own affair"
        assert await phone.settings.get("odd") is None
        assert await listed(phone) == {handle_of(bob)}
        kept = phone._core.read(lambda tx: ops.slot(tx, Newer.KIND, b"read_receipts"))
        assert len(kept) == 1, "kept, to be handed on to whoever knows it"


async def test_a_blocked_or_forgotten_person_stays_so_whatever_they_are_called(
    tmp_path: Path,
) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        await seated(laptop, 2)
        here = await phone.contacts.find(handle_of(bob))
        who = here.account_id
        await here.block()
        there = await shows(laptop, who, lambda one: one.blocked_ms is not None)
        await there.set_name("Robert")
        named = await shows(phone, who, lambda one: one.name == "Robert")
        assert named.blocked_ms is not None

        def hostile(job: Job) -> None:
            say(job, who, Person(0, "alice", "Still called so"))

        await run(laptop, hostile)
        odd = await shows(phone, who, lambda one: one.name == "Still called so")
        assert not odd.is_contact
        assert odd.blocked_ms is not None
        assert odd.handle == handle_of(bob), "the directory's word counts, where it is known"
