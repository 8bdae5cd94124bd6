"""``contacts``, ``contact ...``, ``block``: whom we know, and what we call them."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import typer
from rich.cells import set_cell_size

import e2ecore
from cli_demo import jsonlines
from cli_demo.contact_words import ContactWords, contact_words
from cli_demo.naming import account_text
from cli_demo.options import Access, Language, local, online
from cli_demo.running import at_relay, with_engine
from cli_demo.text import visible

app = typer.Typer(
    name="contact", help="What you call people, and who is a contact.", no_args_is_help=True
)
Handle = Annotated[str, typer.Argument(help="Whom.")]
_NAME_CELLS: Final = 34
_STATE_CELLS: Final = 15


@local
def contacts(where: Access, *, language: Language = None) -> None:
    """List the people of this database: whether their keys are verified, how they are called."""

    async def work(engine: e2ecore.Engine) -> None:
        words = contact_words(language)
        for one in await engine.contacts.list():
            print(jsonlines.dump(jsonlines.contact(one)) if where.json else _line(one, words))

    with_engine(where, work, language=language)


def _line(one: e2ecore.Contact, words: ContactWords) -> str:
    name = visible(one.handle or account_text(one.account_id))
    state = words.blocked if one.blocked_ms else words.short[one.verification]
    theirs = visible(one.display_name or "")
    ours = words.calls.format(name=visible(one.name)) if one.name else ""
    called = "  ".join(filter(None, (theirs, ours)))
    return (
        f"{set_cell_size(name, _NAME_CELLS)}{set_cell_size(state, _STATE_CELLS)}{called}".rstrip()
    )


@app.command()
@online
def name(
    where: Access,
    handle: Handle,
    new: Annotated[
        str, typer.Argument(metavar="NAME", help="At most 64 characters; '' takes it back.")
    ],
    *,
    language: Language = None,
) -> None:
    """Call somebody by a name of your own, on all your devices. Nobody else sees it."""
    words = contact_words(language)
    said = words.called if new else words.uncalled
    text = said.format(handle=visible(handle), name=visible(new))
    with_engine(
        where,
        lambda engine: _do(engine, where, handle, lambda one: one.set_name(new), text),
        language=language,
    )


@app.command()
@online
def forget(where: Access, handle: Handle, *, language: Language = None) -> None:
    """Have somebody not among your contacts any more, and without a name of yours.

    Conversations stay, and so does who is blocked. Looking them up makes them a contact again.
    """
    text = contact_words(language).forgotten.format(handle=visible(handle))
    with_engine(
        where,
        lambda engine: _do(engine, where, handle, lambda one: one.forget(), text),
        language=language,
    )


@online
def block(
    where: Access,
    handle: Annotated[str, typer.Argument(help="Who is not to reach you alone any more.")],
) -> None:
    """Hear no more what somebody says to you alone. They are not told.

    What they send you from now on is dropped; groups of theirs are left at once. In groups of other
    people you go on to hear them.
    """
    text = f"{visible(handle)} is blocked"
    with_engine(where, lambda engine: _do(engine, where, handle, lambda one: one.block(), text))


@online
def unblock(
    where: Access, handle: Annotated[str, typer.Argument(help="Who may reach you again.")]
) -> None:
    """Hear somebody again. What they said meanwhile is gone."""
    text = f"{visible(handle)} is not blocked any more"
    with_engine(where, lambda engine: _do(engine, where, handle, lambda one: one.unblock(), text))


async def _do(
    engine: e2ecore.Engine,
    where: Access,
    handle: str,
    change: Callable[[e2ecore.Contact], Awaitable[None]],
    text: str,
) -> None:
    """Change something of somebody; who is known needs no relay."""
    known = [one for one in await engine.contacts.list() if one.handle == handle]
    contact = (
        known[0]
        if known
        else await at_relay(engine, lambda: engine.contacts.find(handle), where.timeout)
    )
    await change(contact)
    print(jsonlines.dump(jsonlines.contact(contact)) if where.json else text)
