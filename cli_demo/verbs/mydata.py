"""``mydata``, ``name``: what is stored of oneself, and putting it right."""

import sys
from typing import Annotated, Final

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.mydata import fields_of, lines_of
from cli_demo.options import Access, local
from cli_demo.passphrase import read_passphrase
from cli_demo.running import need_account, reported, with_engine
from cli_demo.text import visible, wrap

_CELLS: Final = 78
_INDENT: Final = 4


@local
def mydata(
    where: Access,
    *,
    reveal: Annotated[
        bool,
        typer.Option("--reveal", help="Show them whole; asks for the passphrase in any case."),
    ] = False,
    inventory: Annotated[
        bool, typer.Option("--inventory", help="What is stored where, and for how long.")
    ] = False,
) -> None:
    """Show what is stored of you, personal fields only as they begin. Needs no relay."""
    phrase: str | None = None
    if reveal:
        with reported(debug=where.debug):
            phrase = read_passphrase(fd=where.passphrase_fd, create=False)

    async def work(engine: e2ecore.Engine) -> None:
        profile = await engine.my_data.profile(phrase)
        if where.json:
            print(jsonlines.dump({"type": "mydata", **fields_of(profile)}))
        else:
            print("\n".join(lines_of(profile)))
            if profile.is_masked:
                print("To see it whole: e2e mydata --reveal", file=sys.stderr)
        for one in engine.my_data.inventory() if inventory else ():
            print(jsonlines.dump(_item(one)) if where.json else _shown(one))

    with_engine(where, work, phrase=phrase)


@local
def name(
    where: Access,
    new: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="At most 64 characters; '' takes it back."),
    ] = None,
) -> None:
    """Change what you want to be called, which your conversations get to see.

    Without a name it says what holds. The handle stays. Needs no relay; the others get to know when
    it is reached.
    """

    async def work(engine: e2ecore.Engine) -> None:
        if new is not None:
            await engine.set_display_name(new)
        account = need_account(engine)
        if where.json:
            print(jsonlines.dump(jsonlines.account(account)))
        elif new is None:
            print(visible(account.display_name or ""))

    with_engine(where, work)


def _item(one: e2ecore.DataItem) -> dict[str, object]:
    return {
        "type": "stored",
        "what": one.what,
        "where": one.where,
        "purpose": one.purpose,
        "class": one.data_class.name,
        "sensitivity": one.data_class.sensitivity,
        "retention": one.retention,
    }


def _shown(one: e2ecore.DataItem) -> str:
    """A heading, and below it what it is for and how long it stays."""
    kind = f"{one.data_class.name}, {one.data_class.sensitivity}"
    about = wrap(f"{one.purpose}; {one.retention}", _CELLS - _INDENT, _CELLS - _INDENT)
    return "\n".join([f"\n{one.what}  ({kind})", *(f"{'':{_INDENT}}{line}" for line in about)])
