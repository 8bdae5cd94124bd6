"""Act 5: an answer, a reaction, an edit, a message that is taken back, a search and a poll."""

from typing import Final

from cli_demo.demo.puppet import Puppet
from cli_demo.demo.stage import Stage, is_event, is_message

_ASKED: Final = "Saturday at nine, at the bridge. Who brings something to eat?"
_CHANGED: Final = "Saturday at half past nine, at the bridge. Who brings something to eat?"
_CAKE: Final = "Tea and apricot cake from me \N{EM DASH} для всех, 全部です 🍰"
_ANSWER: Final = "That is the best cake in town!"
_SLIP: Final = "And the key to my flat is under the third flowerpot"
_SIGN: Final = "🎉"
_WORDS: Final = "全部"
_QUESTION: Final = "How do we get to the bridge on Saturday?"
_CHOICES: Final = ("on foot through the wood", "by the early train, 7:42")
_FOOT, _TRAIN = range(2)


async def remarks(stage: Stage) -> None:
    """What people do with messages, seen from the other side."""
    say = stage.narrator
    say.act("Answers, second thoughts, a slip and a poll")
    await _answer(stage)
    await _second_thought(stage)
    await _slip(stage)
    await _find(stage)
    await _poll(stage)


async def _answer(stage: Stage) -> None:
    say = stage.narrator
    stage.written.append(_ANSWER)
    await stage.bob.ask("reply", conversation=stage.group, about=_CAKE, text=_ANSWER)
    say.tell("bob", f"{_ANSWER}", 'an answer to "Tea and apricot cake..."')
    await stage.alice.event(is_message(stage.group, _ANSWER), "no answer from bob")
    seen = await _look(stage, stage.alice, _ANSWER)
    await stage.alice.ask("react", conversation=stage.group, about=_CAKE, sign=_SIGN)
    say.tell("alice", f"{_SIGN} to the cake")
    await stage.carol.event(is_event("reacted", stage.group), "no reaction from alice")
    liked = (await stage.carol.ask("look", conversation=stage.group, about=_CAKE)).texts("signs")
    say.check(
        "the answer names what it answers, and it still says that; the reaction is counted",
        holds=seen == _CAKE and liked == [_SIGN],
    )


async def _look(stage: Stage, person: Puppet, words: str) -> str:
    """The words that a message answers, if they are still the same."""
    return (await person.ask("look", conversation=stage.group, about=words)).text("quoted")


async def _second_thought(stage: Stage) -> None:
    say = stage.narrator
    stage.written.append(_CHANGED)
    await stage.alice.ask("edit", conversation=stage.group, about=_ASKED, text=_CHANGED)
    say.tell("alice", _CHANGED, "edits what she wrote")
    earlier = []
    for person in (stage.bob, stage.carol):
        await person.event(is_event("edited", stage.group), "no edit from alice")
        found = await person.ask("look", conversation=stage.group, about=_CHANGED)
        earlier.append(found.texts("earlier"))
    say.check(
        "both see the new words, and can see the old ones",
        holds=earlier == [[_ASKED], [_ASKED]],
    )


async def _slip(stage: Stage) -> None:
    say = stage.narrator
    await stage.send(stage.bob, stage.group, _SLIP)
    for person in (stage.alice, stage.carol):
        await person.event(is_message(stage.group, _SLIP), "no message from bob")
    say.tell("bob", _SLIP, "should have gone to his sister")
    await stage.bob.ask("recall", conversation=stage.group, about=_SLIP)
    left = []
    for person in (stage.alice, stage.carol):
        await person.event(is_event("recalled", stage.group), "bob took nothing back")
        left += await stage.texts(person, stage.group, "bob")
        left += (await person.ask("search", conversation=stage.group, text="flowerpot")).texts(
            "texts"
        )
    say.tell("bob", "takes it back")
    say.check(
        "the words are gone from both other devices, from their search indexes too",
        holds=_SLIP not in left and not any("flowerpot" in one for one in left),
    )


async def _find(stage: Stage) -> None:
    say = stage.narrator
    found = (await stage.bob.ask("search", conversation=stage.group, text=_WORDS)).texts("texts")
    say.tell("bob", f"searches his history for {_WORDS}")
    say.check(
        "a search finds two Chinese characters in the middle of a text", holds=found == [_CAKE]
    )


async def _poll(stage: Stage) -> None:
    say, about = stage.narrator, "\n".join((_QUESTION, *_CHOICES))
    stage.written += [_QUESTION, *_CHOICES]
    people = stage.alice, stage.bob, stage.carol
    await stage.alice.ask("poll", conversation=stage.group, text=_QUESTION, choices=_CHOICES)
    say.tell("alice", f"{_QUESTION} A: {_CHOICES[0]}. B: {_CHOICES[1]}", "a poll")
    for person in (stage.bob, stage.carol):
        await person.event(is_message(stage.group, about), "no poll from alice")
    for person, choice in zip(people, (_TRAIN, _FOOT, _TRAIN), strict=True):
        await person.ask("vote", conversation=stage.group, about=about, choice=choice)
    say.tell("alice", "votes, and so do bob and carol: each vote is sealed")
    sealed = [await _tally(stage, person, about, "sealed") for person in people]
    await stage.alice.ask("close", conversation=stage.group, about=about)
    say.tell("alice", "closes the poll: every device opens its own vote")
    opened = [await _tally(stage, person, about, "opened") for person in people]
    say.check(
        "three votes are at everybody's, and nobody could read one before the poll was closed",
        holds=sealed == [[0, 0]] * len(people),
    )
    say.check(
        "all three devices count the same: train 2, foot 1",
        holds=opened == [[1, 2]] * len(people),
    )


async def _tally(stage: Stage, person: Puppet, about: str, state: str) -> list[int]:
    """How often each choice was made, as a device sees it once it has three votes like that."""
    wanted = {"conversation": stage.group, "about": about, "state": state, "count": 3}
    return (await person.ask("tally", **wanted)).numbers("votes")
