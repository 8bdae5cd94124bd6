"""``consent``: what one has agreed to, in words, and the way back."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.cells import cell_len

import e2ecore
from cli_demo import jsonlines
from cli_demo.consent_words import WORDS, Words, chosen_language, words_in
from cli_demo.device_words import device_words
from cli_demo.erasures import settle, show_erasures
from cli_demo.exits import CliError, Exit
from cli_demo.options import Access, Language, local, online, seconds
from cli_demo.running import go_out, reported, with_engine
from cli_demo.saying import fit, say
from cli_demo.text import moment, now_ms, visible

app = typer.Typer(
    name="consent",
    help="What you have agreed to; everything else is off.",
    no_args_is_help=True,
)


Purpose = Annotated[
    e2ecore.Purpose, typer.Argument(metavar="PURPOSE", help="As `e2e consent list` names it.")
]
Lasts = Annotated[
    int | None,
    typer.Option("--for", metavar="TIME", parser=seconds, help="End by itself: 8h, 90d."),
]
Scope = Annotated[str, typer.Option("--scope", help="What it is limited to, in words.")]
Agree = Annotated[
    str | None,
    typer.Option(
        "--agree",
        metavar="MARK",
        help="For scripts: agree to the notice above this mark in `e2e consent show`.",
    ),
]
OPERATOR: Final = "the operator of the relay"
"""Who answers for the data, unless somebody else is named."""
PUBLISHED: Final = "as the operator publishes it"
"""Where to turn to then."""


@app.command("list")
@local
def list_consents(
    where: Access,
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    language: Language = None,
) -> None:
    """Each purpose, and whether you have agreed to it. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        known = await engine.consents.list()
        shown = [one for one in known if all_of_them or one.is_in_force]
        if where.json:
            for one in shown:
                changed = await _is_reworded(engine, one)
                print(jsonlines.dump({**_fields(one), "notice_changed": changed}))
            return
        words = words_in(language)
        for purpose in [
            *e2ecore.Purpose,
            *sorted({one.purpose for one in shown} - {*e2ecore.Purpose}),
        ]:
            mine = [one for one in shown if one.purpose == purpose]
            name = _named(purpose, words)
            for one in mine:
                print(f"{name} {_say(one, words)}")
                if await _is_reworded(engine, one):
                    say(f"  {words.reworded.format(purpose=visible(purpose))}")
            if not mine:
                print(f"{name} {words.off}")

    with_engine(where, work, language=language)


@app.command()
def show(
    purpose: Purpose,
    *,
    language: Language = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Print the notice of a purpose, and below it the mark that scripts agree by."""
    with reported(debug=debug, language=language):
        notice = e2ecore.shipped_notice(purpose, chosen_language(language))
        say(notice.text)
        print(_mark(notice))


@app.command()
@online
def grant(
    where: Access,
    purpose: Purpose,
    *,
    language: Language = None,
    lasts: Lasts = None,
    scope: Scope = "",
    controller: Annotated[
        str, typer.Option("--controller", help="Who answers for the data.")
    ] = OPERATOR,
    contact: Annotated[str, typer.Option("--contact", help="Where to turn to.")] = PUBLISHED,
    address: Annotated[str, typer.Option("--address", help="Their postal address.")] = "",
    jurisdiction: Annotated[
        str, typer.Option("--jurisdiction", help="Whose law holds: CN, EU.")
    ] = "",
    agree: Agree = None,
) -> None:
    """Show what it means, ask, and only then turn it on."""
    with reported(debug=where.debug, language=language):
        notice = e2ecore.shipped_notice(purpose, chosen_language(language))
        decide(notice, agree, where)

    async def work(engine: e2ecore.Engine) -> None:
        made = await engine.consents.grant(
            notice,
            controller=e2ecore.Controller(controller, contact, address),
            scope=scope,
            expires_ms=after(lasts),
            jurisdiction=jurisdiction,
        )
        words = words_in(language)
        if not where.json:
            say(words.given.format(purpose=purpose.value))
        await go_out(engine, engine.consents.settled, where.timeout, words.not_out)
        if where.json:
            (now,) = [x for x in await engine.consents.list() if x.consent_id == made.consent_id]
            print(jsonlines.dump(_fields(now)))

    with_engine(where, work, language=language)


@app.command()
@online
def withdraw(where: Access, purpose: Purpose, *, language: Language = None) -> None:
    """Take it back. It is off at once on this device, and everywhere as soon as the relay knows."""

    async def work(engine: e2ecore.Engine) -> None:
        words = words_in(language)
        count = await engine.consents.withdraw(purpose)
        if where.json:
            print(jsonlines.dump({"type": "withdrawn", "purpose": purpose, "consents": count}))
        else:
            say(words.withdrawn if count else words.nothing)
        before = {one.device_id for one in await engine.devices.list() if one.removed_ms is None}
        await go_out(engine, engine.consents.settled, where.timeout, words.not_out)
        await settle(engine, where.timeout)
        await show_erasures(engine, where, before, device_words(language))

    with_engine(where, work, language=language)


@app.command()
@local
def export(
    where: Access,
    file: Annotated[Path, typer.Argument(help="The file to make; it must not be there yet.")],
) -> None:
    """Write what proves your consents into a file. It is NOT encrypted. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        data = await engine.consents.export()
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)

    with_engine(where, work)


@app.command()
@local
def imported(where: Access, *, language: Language = None) -> None:
    """What was agreed to elsewhere, from exports that you imported. Nothing of it counts here."""

    async def work(engine: e2ecore.Engine) -> None:
        words = words_in(language)
        for audit in await engine.consents.imported():
            account = {"account": audit.account_id.hex()}
            if not where.json:
                print(f"{words.elsewhere} {audit.account_id.hex()}")
            for one in audit.consents:
                if where.json:
                    fields = {**_audited(one), **account, "type": "imported_consent"}
                    print(jsonlines.dump(fields))
                else:
                    print(f"{_named(one.purpose, words)} {_say(one, words)}")

    with_engine(where, work, language=language)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="As `e2e consent export` made it, by anybody.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    language: Language = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Check somebody's consents against their chain. Needs no account, no relay, no network."""
    with reported(debug=debug, language=language):
        data = file.read_bytes()
        audit = e2ecore.verify_consents(data, now_ms=now_ms())
        words = words_in(language)
        if not json:
            of = {"entries": audit.entries, "devices": audit.live_devices}
            say(words.chain.format(account=audit.account_id.hex(), **of))
        for one in audit.consents:
            if json:
                print(jsonlines.dump(_audited(one)))
            else:
                print(f"{visible(one.purpose):<21} {_say(one, words)}")


def after(lasts: int | None) -> int | None:
    """When so many seconds from now are over, in UTC milliseconds; None: never."""
    return None if lasts is None else now_ms() + 1000 * lasts


def decide(notice: e2ecore.ConsentNotice, agree: str | None, where: Access) -> None:
    """Let the person decide; a script has to name the very text.

    Raises:
        CliError: They did not agree, or could not be asked.
    """
    words = WORDS[notice.language]
    if agree is not None:
        if agree != _mark(notice):
            raise CliError(words.wrong_mark, Exit.USAGE)
        return
    if where.json or not sys.stdin.isatty():
        raise CliError(words.nobody_to_ask, Exit.USAGE)
    say(notice.text)
    if input(fit(words.ask, sys.stdout)).strip().casefold() not in words.yes:
        raise CliError(words.refused, Exit.FAILURE)


async def _is_reworded(engine: e2ecore.Engine, one: e2ecore.Consent) -> bool:
    """Has the notice of a consent in force changed since the person agreed?"""
    if not one.is_in_force or one.record is None:
        return False
    try:
        notice = e2ecore.shipped_notice(one.purpose, one.record.notice_language)
    except e2ecore.NoNoticeError:
        return False
    return not await engine.consents.covers(notice)


def _mark(notice: e2ecore.ConsentNotice) -> str:
    return notice.hash.hex()[:16]


def _named(purpose: str, words: Words) -> str:
    """What a purpose is called by commands and by people, in columns."""
    cells = max(map(cell_len, words.purposes.values()))
    called = words.purposes.get(purpose, "")
    return f"{visible(purpose):<21} {called}{' ' * (cells - cell_len(called))} "


def _say(one: e2ecore.Consent | e2ecore.AuditedConsent, words: Words) -> str:
    parts = [words.states[one.state], moment(one.granted_ms)]
    if one.expires_ms is not None:
        parts.append(f"{words.until} {moment(one.expires_ms)}")
    if one.record is not None and one.record.scope:
        parts.append(visible(one.record.scope))
    return "  ".join(parts)


def _fields(one: e2ecore.Consent) -> dict[str, object]:
    return {"type": "consent", "id": one.consent_id.hex(), **_common(one)}


def _audited(one: e2ecore.AuditedConsent) -> dict[str, object]:
    return {"type": "consent", "proven": one.record is not None, **_common(one)}


def _common(one: e2ecore.Consent | e2ecore.AuditedConsent) -> dict[str, object]:
    return {
        "purpose": one.purpose,
        "state": one.state.value,
        "granted_ms": one.granted_ms,
        "expires_ms": one.expires_ms,
        "withdrawn_ms": one.withdrawn_ms,
    }
