"""What guardians ask, say and decide, in words for the window. Pure."""

from collections.abc import Callable

import e2ecore
from cli_demo.consent_words import words_in
from cli_demo.error_words import EN
from cli_demo.guardian_words import guardian_words
from cli_demo.naming import short
from cli_demo.text import moment, visible

Names = Callable[[bytes], str]
"""From an account id to the name that the screen shows for it."""


def guardian_news(event: e2ecore.Event, names: Names) -> str:
    """What an event says to a child or a guardian; empty: nothing.

    Args:
        event: What happened.
        names: How to call an account.
    """
    match event:
        case e2ecore.MinorMarkChanged():
            return _mark(event.until_ms)
        case e2ecore.GuardianBondChanged():
            return _bond(event.bond, names)
        case e2ecore.ApprovalRequestChanged():
            return _request(event.request, names)
        case _:
            return ""


def _mark(until_ms: int | None) -> str:
    words = guardian_words(EN)
    if until_ms is None:
        return words.not_marked
    return words.marked.format(day=moment(until_ms).split()[0])


def _bond(bond: e2ecore.GuardianBond, names: Names) -> str:
    words = guardian_words(EN)
    theirs, ours = bond.guardian_wants_end, bond.ward_wants_end
    if not bond.is_ward:
        theirs, ours = ours, theirs
    said = (words.ward_news if bond.is_ward else words.guardian_news).get(bond.state, "")
    if bond.state is e2ecore.BondState.HOLDS and (theirs or ours):
        said = words.wants_end if theirs else words.released
    return said.format(who=visible(names(bond.account_id)))


def _request(request: e2ecore.ApprovalRequest, names: Names) -> str:
    words = guardian_words(EN)
    purpose = request.record.purpose
    said = words.own_request_news if request.is_ours else words.request_news
    return said.get(request.state, "").format(
        who=visible(names(request.account_id)),
        purpose=words_in(EN).purposes.get(purpose) or visible(purpose),
        number=short(request.consent_id),
    )
