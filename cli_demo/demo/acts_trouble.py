"""Acts 7 to 9: a process is killed, a member is removed, and all files are searched."""

from collections.abc import Callable
from typing import Final

import anyio

from cli_demo.demo.puppet import DeviceError, Puppet
from cli_demo.demo.searching import search
from cli_demo.demo.stage import Stage, is_event, is_message
from cli_demo.demo.values import Values
from cli_demo.text import counted, duration, size

_BURST: Final = 300
_KILL_AFTER: Final = 100
_LATER: Final = 5
_SIGKILL: Final = -9
_PATIENCE_S: Final = 0.3
"""How long nothing must arrive; what does arrive takes a tenth of that."""


async def killed(stage: Stage) -> None:
    """Bob's process dies twice by SIGKILL: while it sends a burst, and while it receives one."""
    stage.narrator.act("Bob's process is killed in the middle of a burst, and nothing is lost")
    await _killed_sending(stage)
    await _killed_receiving(stage)


async def _killed_sending(stage: Stage) -> None:
    say, bob = stage.narrator, stage.bob
    texts = [f"Bob's burst, line {number} of {_BURST}" for number in range(1, _BURST + 1)]
    stage.written.extend(texts)
    await bob.tell({"id": 0, "do": "burst", "conversation": stage.direct, "texts": texts})
    await bob.event(_progress("stored", _KILL_AFTER), "the burst did not start")
    promised = await _kill(stage, bob, "stored")
    say.tell("bob", f"SIGKILL while sending: {promised} of {_BURST} texts were promised to be safe")
    opened = await stage.start(bob)
    kept = _of(await stage.texts(bob, stage.direct, "bob"), texts)
    await bob.ask("settle")
    await stage.alice.event(is_message(stage.direct, kept[-1]), "the burst did not arrive")
    got = _of(await stage.texts(stage.alice, stage.direct, "bob"), texts)
    took = duration((opened.number("opened_ns") - opened.number("begun_ns")) / 1e9)
    say.tell(
        "bob", f"starts again and sends what was waiting: alice has {len(got)}", f"opened in {took}"
    )
    say.check(
        "killed while sending: every promised text arrived exactly once, in order",
        holds=got == kept == texts[: len(got)] and len(got) >= promised,
        detail=f"{promised} promised, {len(got)} arrived",
    )
    rest = texts[len(kept) :]
    if rest:
        await bob.ask("send_many", conversation=stage.direct, texts=rest)
        await stage.alice.event(is_message(stage.direct, rest[-1]), "the rest did not arrive")
    got = _of(await stage.texts(stage.alice, stage.direct, "bob"), texts)
    say.check("and the conversation goes on where it stopped", holds=got == texts)


async def _killed_receiving(stage: Stage) -> None:
    say, bob = stage.narrator, stage.bob
    texts = [f"Alice's burst, line {number} of {_BURST}" for number in range(1, _BURST + 1)]
    stage.written.extend(texts)
    await stage.alice.tell({"id": 0, "do": "burst", "conversation": stage.direct, "texts": texts})
    await bob.event(is_message(stage.direct, texts[_KILL_AFTER - 1]), "the burst did not start")
    seen = len([one for one in bob.events if one.fields.get("event") == "message"])
    await _kill(stage, bob, "stored")
    say.tell("bob", f"SIGKILL while receiving, after he had seen {seen}")
    await stage.start(bob)
    await bob.event(_caught_up, "did not catch up")
    await _until_read(stage, bob, texts)
    got = _of(await stage.texts(bob, stage.direct, "alice"), texts)
    say.check(
        "killed while receiving: every text is there exactly once, in order",
        holds=got == texts,
        detail=f"{len(got)} of {_BURST}",
    )


async def _until_read(stage: Stage, person: Puppet, texts: list[str]) -> None:
    """The last text came before the process died, or comes now."""
    if texts[-1] not in await stage.texts(person, stage.direct, "alice"):
        await person.event(is_message(stage.direct, texts[-1]), "the burst did not arrive")


async def _kill(stage: Stage, person: Puppet, progress: str) -> int:
    status = await person.kill()
    stage.narrator.check(
        f"{person.name}'s process died of SIGKILL",
        holds=status == _SIGKILL,
        detail=f"status {status}",
    )
    done = [one.number("upto") for one in person.events if one.fields.get("event") == progress]
    return max(done, default=0)


def _progress(name: str, upto: int) -> Callable[[Values], bool]:
    return lambda event: event.fields.get("event") == name and event.number("upto") >= upto


def _caught_up(event: Values) -> bool:
    return event.fields.get("event") == "caught_up"


def _of(found: list[str], wanted: list[str]) -> list[str]:
    """Those found that belong to a burst: order and doubles are kept."""
    known = set(wanted)
    return [text for text in found if text in known]


async def removed(stage: Stage) -> None:
    """Carol is removed; what is written afterwards is closed to her, although she is online."""
    say = stage.narrator
    say.act("Carol is removed, and can read nothing more")
    had = len(await stage.texts(stage.carol, stage.group, "alice"))
    await stage.alice.ask("remove", conversation=stage.group, handle="carol")
    await stage.carol.event(is_event("removed", stage.group), "does not know that she was removed")
    say.tell("alice", "removes carol from the group; all keys change")
    before = await stage.relay.metrics()
    texts = [f"Carol must not read this, secret number {n}" for n in range(1, _LATER + 1)]
    for text in texts:
        await stage.send(stage.alice, stage.group, text)
        await stage.bob.event(is_message(stage.group, text), "did not get the text")
    wire = (await stage.relay.metrics()).since(before, "e2ecore_relay_envelope_bytes_total")
    say.tell(
        "alice",
        f"writes {counted(_LATER, 'message')}; bob reads them",
        f"{size(wire)} of ciphertext",
    )
    await anyio.sleep(_PATIENCE_S)
    got = await stage.texts(stage.carol, stage.group, "alice")
    say.tell(
        "carol", f"is online and was told of {_LATER} later ciphertexts: she reads {len(got) - had}"
    )
    say.check(
        "the removed device reads none of the later messages",
        holds=len(got) == had and not set(got) & set(texts),
        detail=f"0 of {_LATER}",
    )
    say.check("and still has what she read before", holds=had > 0, detail=counted(had, "message"))
    say.check("and cannot write", holds=await _refused(stage))
    members = (await stage.bob.ask("members", conversation=stage.group)).texts("handles")
    say.check("the others see that she is gone", holds=sorted(members) == ["alice", "bob"])
    await _old_keys(stage, texts)


async def _old_keys(stage: Stage, texts: list[str]) -> None:
    """Carol's whole database from before the removal, with all keys, opened once more."""
    say = stage.narrator
    await stage.carol.quit()
    await stage.start(stage.thief)
    known = len(await stage.texts(stage.thief, stage.group, "alice"))
    await anyio.sleep(_PATIENCE_S)
    got = await stage.texts(stage.thief, stage.group, "alice")
    say.tell("carol", "opens a copy of her database from before, with all old keys")
    say.check(
        "the old keys open none of the later messages either",
        holds=known > 0 and not set(got) & set(texts),
        detail=f"0 of {len(texts)}",
    )
    await stage.thief.quit()


async def _refused(stage: Stage) -> bool:
    try:
        await stage.carol.ask("send", conversation=stage.group, text="Can you still hear me?")
    except DeviceError:
        return True
    return False


async def searched(stage: Stage) -> None:
    """Everything that is on disk is searched for everything that was written."""
    say = stage.narrator
    say.act("All files are searched for what was said")
    places = {
        "the relay's database and files": [stage.relay.data],
        "the relay's log": [stage.relay.log],
        "the three devices' databases": [
            one for name in stage.people for one in stage.directory.glob(f"{name}.db*")
        ],
        "the devices' logs": [one.log for one in stage.people.values()],
    }
    texts = [*stage.written, *stage.passphrases.values()]
    for name, roots in places.items():
        found = await anyio.to_thread.run_sync(search, roots, texts)
        say.check(
            f"no plaintext and no passphrase in {name}",
            holds=not found.hits and found.files > 0,
            detail=f"{counted(found.files, 'file')}, {size(found.bytes)}, "
            f"{found.needles:,} patterns" + "".join(f" FOUND in {hit}" for hit in found.hits),
        )
    probe = stage.directory / "probe"
    probe.write_text(f"something, {stage.written[0]}, something", encoding="utf-8")
    control = search([probe], texts)
    say.check("the search itself works: it finds a planted text", holds=bool(control.hits))
