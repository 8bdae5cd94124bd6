"""``guardian``: who decides for somebody under 14."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import anyio
import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.consent_words import chosen_language
from cli_demo.exits import CliError, Exit
from cli_demo.guardian_views import (
    ask_person,
    bond_fields,
    day_of,
    name_of,
    print_bond,
    purpose_in,
    request_fields,
)
from cli_demo.guardian_words import GuardianWords, guardian_words
from cli_demo.naming import short
from cli_demo.options import Access, Language, day_ms, local, online
from cli_demo.running import at_relay, go_out, reported, with_engine
from cli_demo.saying import answer, say
from cli_demo.text import moment, visible
from cli_demo.verbs.consents import (
    OPERATOR,
    PUBLISHED,
    Agree,
    Lasts,
    Purpose,
    Scope,
    after,
    decide,
)

app = typer.Typer(
    name="guardian",
    help="Under 14: a parent agrees as well. Nobody else learns of it.",
    no_args_is_help=True,
)
T = TypeVar("T")
_ON_ITS_WAY_S: Final = 10.0
"""How long to wait for what the other one has said a moment ago."""
_NEWS: Final = (e2ecore.GuardianBondChanged, e2ecore.ApprovalRequestChanged)
Handle = Annotated[str, typer.Argument(metavar="HANDLE", help="The other one.")]
Number = Annotated[
    str, typer.Argument(metavar="ID", help="As `e2e guardian requests` shows it, or its beginning.")
]
Yes = Annotated[
    bool, typer.Option("--yes", help="For scripts: the person was asked already, and said yes.")
]


@app.command()
@local
def status(where: Access, *, language: Language = None) -> None:
    """Whether this account is a child's, who decides, and for whom you decide. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        words = guardian_words(language)
        now = await engine.guardians.status()
        bonds = [
            one
            for one in await engine.guardians.bonds()
            if one.state not in {e2ecore.BondState.OVER, e2ecore.BondState.DECLINED}
        ]
        if where.json:
            until = now.until_ms if now else None
            print(jsonlines.dump({"type": "minor", "until_ms": until}))
            for one in bonds:
                print(jsonlines.dump(bond_fields(one)))
            return
        say(words.marked.format(day=day_of(now.until_ms)) if now else words.not_marked)
        if now and now.by_operator:
            say(words.by_operator)
        if now and now.guardian is None:
            say(words.no_guardian)
        for one in bonds:
            await print_bond(engine, one, words)

    with_engine(where, work, language=language)


@app.command()
@online
def mark(
    where: Access,
    until: Annotated[
        int,
        typer.Argument(
            metavar="DAY", parser=day_ms, help="The 14th birthday: 2031-04-30. It is all we keep."
        ),
    ],
    *,
    yes: Yes = False,
    language: Language = None,
) -> None:
    """Say that whoever uses this account is under 14."""
    with reported(debug=where.debug, language=language):
        words = guardian_words(language)
        ask_person(words.ask_mark.format(day=day_of(until)), words, where, yes=yes)

    async def work(engine: e2ecore.Engine) -> None:
        await engine.guardians.mark(until)
        await _out(engine, where, words)
        if not where.json:
            say(words.marked.format(day=day_of(until)))
            say(words.no_guardian)

    with_engine(where, work, language=language)


@app.command()
@online
def invite(where: Access, handle: Handle, *, yes: Yes = False, language: Language = None) -> None:
    """Ask a parent to be the guardian of this account."""
    with reported(debug=where.debug, language=language):
        words = guardian_words(language)
        notice = e2ecore.shipped_notice(e2ecore.GUARDIAN_NOTICE, chosen_language(language))
        if not yes:
            say(notice.text)
            say(words.compare.format(who=visible(handle)))
        ask_person(words.ask_guardian.format(who=visible(handle)), words, where, yes=yes)

    async def work(engine: e2ecore.Engine) -> None:
        contact = await at_relay(engine, lambda: engine.contacts.find(handle), where.timeout)
        bond = await engine.guardians.invite(contact, notice)
        await _out(engine, where, words)
        invited = words.invited.format(who=visible(handle))
        answer(where, bond_fields(bond), invited)

    with_engine(where, work, language=language)


@app.command()
@online
def accept(where: Access, handle: Handle, *, yes: Yes = False, language: Language = None) -> None:
    """Agree to be somebody's guardian, after reading what that means."""

    async def work(engine: e2ecore.Engine) -> None:
        words = guardian_words(language)
        bond = await _bond_in(engine, where, handle, e2ecore.BondState.INVITED)
        if not yes:
            say(visible(bond.notice))
            say(words.compare.format(who=visible(handle)))
        ask_person(words.ask_ward.format(who=visible(handle)), words, where, yes=yes)
        bond = await engine.guardians.accept(bond.link_id)
        await _out(engine, where, words)
        accepted = words.accepted.format(who=visible(handle))
        answer(where, bond_fields(bond), accepted)

    with_engine(where, work, language=language)


@app.command()
@online
def decline(where: Access, handle: Handle, *, language: Language = None) -> None:
    """Do not be somebody's guardian; they are told."""

    async def work(engine: e2ecore.Engine) -> None:
        words = guardian_words(language)
        bond = await _bond_in(engine, where, handle, e2ecore.BondState.INVITED)
        await engine.guardians.decline(bond.link_id)
        await _out(engine, where, words)
        if not where.json:
            say(words.declined.format(who=visible(handle)))

    with_engine(where, work, language=language)


@app.command()
@online
def ask(
    where: Access,
    purpose: Purpose,
    *,
    language: Language = None,
    lasts: Lasts = None,
    scope: Scope = "",
    agree: Agree = None,
) -> None:
    """Agree to something, and ask the guardian to agree as well."""
    with reported(debug=where.debug, language=language):
        notice = e2ecore.shipped_notice(purpose, chosen_language(language))
        decide(notice, agree, where)

    async def work(engine: e2ecore.Engine) -> None:
        words = guardian_words(language)
        made = await engine.guardians.ask(
            notice,
            controller=e2ecore.Controller(OPERATOR, PUBLISHED),
            scope=scope,
            expires_ms=after(lasts),
        )
        await _out(engine, where, words)
        answer(where, request_fields(made), words.asked)

    with_engine(where, work, language=language)


@app.command()
@online
def requests(
    where: Access,
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    language: Language = None,
) -> None:
    """What was asked, by you and of you, and what was decided."""

    async def work(engine: e2ecore.Engine) -> None:
        words = guardian_words(language)
        await _hear(engine, where)
        over = {e2ecore.ApprovalState.REFUSED, e2ecore.ApprovalState.TAKEN_BACK}
        for one in await engine.guardians.requests():
            if one.state in over and not (all_of_them or one.is_ours):
                continue
            if where.json:
                print(jsonlines.dump(request_fields(one)))
                continue
            who = await name_of(engine, one.account_id)
            what = purpose_in(one.record.purpose, language)
            print(f"{short(one.consent_id)}  {what}  {who}  {words.requests[one.state]}")

    with_engine(where, work, language=language)


@app.command()
@online
def approve(where: Access, number: Number, *, yes: Yes = False, language: Language = None) -> None:
    """Read what the child wants to agree to, and agree as well."""

    async def work(engine: e2ecore.Engine) -> None:
        words = guardian_words(language)
        found = await _asked(engine, where, number, e2ecore.ApprovalState.OPEN)
        who = await name_of(engine, found.account_id)
        if not yes:
            say(visible(found.notice))
            say(words.wants.format(who=who, purpose=purpose_in(found.record.purpose, language)))
            if found.record.scope:
                say(words.scope.format(scope=visible(found.record.scope)))
            if found.record.times.expires_ms is not None:
                say(words.until.format(day=moment(found.record.times.expires_ms)))
        ask_person(words.ask_approve.format(who=who), words, where, yes=yes)
        decided = await engine.guardians.approve(found.consent_id)
        await _out(engine, where, words)
        said = words.approved.format(number=short(found.consent_id))
        answer(where, request_fields(decided), said)

    with_engine(where, work, language=language)


@app.command()
@online
def refuse(where: Access, number: Number, *, language: Language = None) -> None:
    """Do not agree to what the child wants; they are told."""

    async def work(engine: e2ecore.Engine) -> None:
        words = guardian_words(language)
        found = await _asked(engine, where, number, e2ecore.ApprovalState.OPEN)
        decided = await engine.guardians.refuse(found.consent_id)
        await _out(engine, where, words)
        answer(where, request_fields(decided), words.refused)

    with_engine(where, work, language=language)


@app.command("take-back")
@online
def take_back(where: Access, number: Number, *, language: Language = None) -> None:
    """Agree no longer to what you have approved: it ends."""

    async def work(engine: e2ecore.Engine) -> None:
        words = guardian_words(language)
        found = await _asked(engine, where, number, e2ecore.ApprovalState.APPROVED)
        decided = await engine.guardians.take_back(found.consent_id)
        await _out(engine, where, words)
        answer(where, request_fields(decided), words.taken_back)

    with_engine(where, work, language=language)


@app.command()
@online
def leave(where: Access, handle: Handle, *, language: Language = None) -> None:
    """Be a child's guardian no longer. The child then needs another one."""

    async def work(engine: e2ecore.Engine) -> None:
        words = guardian_words(language)
        bond = await _bond_in(engine, where, handle, e2ecore.BondState.HOLDS)
        if bond.is_ward:
            raise CliError(words.only_guardian, Exit.REFUSED)
        bond = await engine.guardians.leave(bond.link_id)
        await _out(engine, where, words)
        answer(where, bond_fields(bond), words.left.format(who=visible(handle)))

    with_engine(where, work, language=language)


@app.command()
@online
def release(where: Access, handle: Handle, *, language: Language = None) -> None:
    """End it before the 14th birthday: when both have said so, the account is like any other."""

    async def work(engine: e2ecore.Engine) -> None:
        words = guardian_words(language)
        bond = await engine.guardians.release(
            (await _bond_in(engine, where, handle, e2ecore.BondState.HOLDS)).link_id
        )
        await _out(engine, where, words)
        both = bond.ward_wants_end and bond.guardian_wants_end
        said = words.both_needed if both else words.released
        answer(where, bond_fields(bond), said)

    with_engine(where, work, language=language)


async def _out(engine: e2ecore.Engine, where: Access, words: GuardianWords) -> None:
    """Wait until the relay, and so the other one, has it."""
    await go_out(engine, engine.guardians.settled, where.timeout, words.not_out)


async def _hear(engine: e2ecore.Engine, where: Access) -> None:
    """Hear what has come in the meantime."""

    async def news() -> None:
        await engine.caught_up()
        await engine.guardians.settled()

    await at_relay(engine, news, where.timeout)


async def _found(
    engine: e2ecore.Engine, where: Access, find: Callable[[], Awaitable[T | None]]
) -> T | None:
    """Look for something; what the other one has just said may still be on its way."""
    events = engine.events()
    await _hear(engine, where)
    with anyio.move_on_after(min(where.timeout, _ON_ITS_WAY_S)):
        while (found := await find()) is None:
            async for event in events:
                if isinstance(event, _NEWS):
                    break
        return found
    return None


async def _bond_in(
    engine: e2ecore.Engine, where: Access, handle: str, state: e2ecore.BondState
) -> e2ecore.GuardianBond:
    contact = await at_relay(engine, lambda: engine.contacts.find(handle), where.timeout)

    async def find() -> e2ecore.GuardianBond | None:
        for one in await engine.guardians.bonds():
            invites_us = not (one.is_ward and state is e2ecore.BondState.INVITED)
            if one.account_id == contact.account_id and one.state is state and invites_us:
                return one
        return None

    found = await _found(engine, where, find)
    if found is None:
        raise e2ecore.UnknownBondError
    return found


async def _asked(
    engine: e2ecore.Engine, where: Access, number: str, state: e2ecore.ApprovalState
) -> e2ecore.ApprovalRequest:
    async def find() -> e2ecore.ApprovalRequest | None:
        found = [
            one
            for one in await engine.guardians.requests()
            if one.consent_id.hex().startswith(number.lower())
            and not one.is_ours
            and one.state is state
        ]
        return found[0] if len(found) == 1 else None

    found = await _found(engine, where, find)
    if found is None:
        raise e2ecore.UnknownRequestError
    return found
