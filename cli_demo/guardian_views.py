"""What ``e2e guardian`` shows, and how it asks."""

import sys

import e2ecore
from cli_demo.consent_words import words_in
from cli_demo.exits import CliError, Exit
from cli_demo.guardian_words import GuardianWords
from cli_demo.naming import short, shown_name
from cli_demo.options import Access
from cli_demo.saying import fit, say
from cli_demo.text import moment, visible


def ask_person(question: str, words: GuardianWords, where: Access, *, yes: bool) -> None:
    """Let the person decide.

    Raises:
        CliError: They said no, or could not be asked.
    """
    if yes:
        return
    if where.json or not sys.stdin.isatty():
        raise CliError(words.nobody_to_ask, Exit.USAGE)
    if input(fit(question, sys.stdout)).strip().casefold() not in words.yes:
        raise CliError(words.nothing_done, Exit.FAILURE)


async def print_bond(
    engine: e2ecore.Engine, one: e2ecore.GuardianBond, words: GuardianWords
) -> None:
    """Say who is whose guardian."""
    who = await name_of(engine, one.account_id)
    line = words.guardian_is if one.is_ward else words.ward_is
    say(line.format(who=who, state=words.bonds[one.state]))
    theirs = one.guardian_wants_end if one.is_ward else one.ward_wants_end
    if theirs:
        say(words.wants_end.format(who=who))


async def name_of(engine: e2ecore.Engine, account_id: e2ecore.AccountId) -> str:
    """How an account is called."""
    contact = await engine.contacts.get(account_id)
    return visible(shown_name(contact.handle or short(account_id), contact.name))


def purpose_in(purpose: str, language: str | None) -> str:
    """What a purpose is called."""
    named = {str(one): text for one, text in words_in(language).purposes.items()}
    return named.get(purpose) or visible(purpose)


def day_of(time_ms: int) -> str:
    """The day of a time."""
    return moment(time_ms).split()[0]


def bond_fields(one: e2ecore.GuardianBond) -> dict[str, object]:
    """A bond as JSON."""
    return {
        "type": "guardian_bond",
        "id": one.link_id.hex(),
        "account": one.account_id.hex(),
        "role": "ward" if one.is_ward else "guardian",
        "state": one.state.value,
        "until_ms": one.until_ms,
    }


def request_fields(one: e2ecore.ApprovalRequest) -> dict[str, object]:
    """A request as JSON."""
    return {
        "type": "guardian_request",
        "id": one.consent_id.hex(),
        "account": one.account_id.hex(),
        "ours": one.is_ours,
        "purpose": one.record.purpose,
        "scope": one.record.scope,
        "state": one.state.value,
    }
