"""Act 5: an answer, a reaction, an edit, a message that is taken back, and a search."""

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


async def remarks(stage: Stage) -> None:
    """What people do with messages, seen from the other side."""
    say = stage.narrator
    say.act("Answers, second thoughts, and a slip")
    await _answer(stage)
    await _second_thought(stage)
    await _slip(stage)
    await _find(stage)


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
