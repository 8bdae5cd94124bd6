"""Acts 3, 4 and 6: one to one, in a group, and while one of them is away."""

from typing import Final

from cli_demo.demo.stage import NAMES, Stage, is_event, is_message
from cli_demo.text import counted, duration, size

_TITLE: Final = "Old quarry, Saturday"
_AWAY: Final = 50
_TALK: Final = (
    ("alice", "bob", "Hi Bob, are we still on for the weekend?"),
    ("bob", "alice", "Sure. Shall we ask Carol to come along?"),
    ("alice", "bob", "Good idea, I'll make a group. Bring the map of the old quarry!"),
)
_GROUP_TALK: Final = (
    ("alice", "Saturday at nine, at the bridge. Who brings something to eat?"),
    ("bob", "I bring bread and cheese, and the map of course."),
    ("carol", "Tea and apricot cake from me \N{EM DASH} для всех, 全部です 🍰"),
)


async def _speak(stage: Stage, conversation: str, who: str, text: str, to: list[str]) -> bool:
    """One text, measured from the call until it is stored on each receiver's disk."""
    before = await stage.relay.metrics()
    sent = await stage.send(stage.people[who], conversation, text)
    wire = (await stage.relay.metrics()).ciphertext_since(before)
    got = [
        await stage.people[name].event(is_message(conversation, text), f"no message from {who}")
        for name in to
    ]
    begun = sent.number("begun_ns")
    accepted = (sent.number("accepted_ns") - begun) / 1e9
    stored = (max(event.number("at_ns") for event in got) - begun) / 1e9
    stage.narrator.tell(
        who,
        text,
        f"{len(text.encode())} B text, {f'{size(wire)} ciphertext, ' if wire else ''}"
        f"accepted {duration(accepted)}, read and stored {duration(stored)}",
    )
    return all(event.text("from") == who for event in got)


async def one_to_one(stage: Stage) -> None:
    """Alice and Bob talk."""
    say = stage.narrator
    say.act("One to one")
    stage.direct = (await stage.alice.ask("direct", handle="bob")).text("conversation")
    right = [await _speak(stage, stage.direct, who, text, [to]) for who, to, text in _TALK]
    say.check(
        "every text arrived, from whom it should be",
        holds=all(right),
        detail=counted(len(right), "message"),
    )
    read = [await stage.texts(person, stage.direct, "alice") for person in (stage.alice, stage.bob)]
    say.check(
        "both databases hold the same words in the same order",
        holds=read[0] == read[1] == [text for who, _, text in _TALK if who == "alice"],
    )


async def in_group(stage: Stage) -> None:
    """All three talk in a group."""
    say = stage.narrator
    say.act("In a group")
    answer = await stage.alice.ask("group", title=_TITLE, handles=["bob", "carol"])
    stage.group = answer.text("conversation")
    for person in (stage.bob, stage.carol):
        await person.event(is_event("added", stage.group), "was not added to the group")
    say.tell(
        "alice",
        f'made the group "{_TITLE}" with bob and carol',
    )
    right = [
        await _speak(stage, stage.group, who, text, [name for name in NAMES if name != who])
        for who, text in _GROUP_TALK
    ]
    say.check(
        "every text reached both others, and says who wrote it",
        holds=all(right),
        detail=f"{len(right)} messages, {2 * len(right)} deliveries",
    )
    members = [
        (await person.ask("members", conversation=stage.group)).texts("handles")
        for person in stage.friends
    ]
    say.check(
        "all devices agree on who is in the group",
        holds=all(sorted(found) == sorted(NAMES) for found in members),
    )


async def away(stage: Stage) -> None:
    """Carol's process ends; the others go on; she comes back and catches up."""
    say = stage.narrator
    say.act("Carol goes offline, and catches up")
    old = stage.carol.pid
    await stage.carol.quit()
    stage.copy_database(stage.carol)
    say.tell("carol", "closes her laptop", f"pid {old} ended")
    texts = [f"While Carol is away, note {number} of {_AWAY}" for number in range(1, _AWAY + 1)]
    stage.written.extend(texts)
    sent = await stage.alice.ask("send_many", conversation=stage.group, texts=texts)
    seconds = (sent.number("accepted_ns") - sent.number("begun_ns")) / 1e9
    say.tell(
        "alice",
        f"writes {counted(_AWAY, 'message')} meanwhile",
        f"all accepted in {duration(seconds)}",
    )
    opened = await stage.start(stage.carol)
    last = await stage.carol.event(is_message(stage.group, texts[-1]), "did not catch up")
    took = (last.number("at_ns") - opened.number("begun_ns")) / 1e9
    say.tell(
        "carol",
        f"is back and has read everything {duration(took)} after she typed her passphrase",
        f"pid {stage.carol.pid}",
    )
    got = await stage.texts(stage.carol, stage.group, "alice")
    say.check(
        "Carol has all that she missed, once each and in order",
        holds=got[-_AWAY:] == texts and len(got) == len(set(got)),
        detail=counted(_AWAY, "message"),
    )
