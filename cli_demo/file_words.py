"""Where a file is, in words for people. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

import e2ecore
from cli_demo.exits import explain
from cli_demo.text import counted, length, size
from cli_demo.words import span

_GONE: Final = {
    e2ecore.DeletionReason.ALL_FETCHED: "all have it",
    e2ecore.DeletionReason.RECALLED: "taken back",
    e2ecore.DeletionReason.EXPIRED: "its time was over",
    e2ecore.DeletionReason.ACCOUNT_ERASED: "the account was closed",
    e2ecore.DeletionReason.OPERATOR: "by order of the relay's operator",
    e2ecore.DeletionReason.UNFINISHED: "its upload did not end",
    e2ecore.DeletionReason.LOST: "the relay has lost it",
}
_States = e2ecore.AttachmentState
_WHY: Final = {
    "quota_exceeded": "the relay has too many files of yours or of this conversation; "
    "it goes on when others have fetched theirs",
    "relay_full": "the relay's disk is full; it is tried again",
    "full": "the relay's disk is full; it is tried again",
    "busy": "the relay has too much to do; it is tried again",
    "internal": "the relay failed; it is tried again",
    "rate_limited": "the relay wants to be asked less often; it goes on by itself",
}
"""What a relay's refusal of a file means; all else is said as anywhere."""


def why(trouble: e2ecore.E2EError | None) -> str:
    """Say in one line why files do not go on; empty: nothing is in their way."""
    match trouble:
        case None:
            return ""
        case e2ecore.RelayRefusedError():
            known = _WHY.get(trouble.code.value)
        case e2ecore.BlobRefusedError():
            known = _WHY.get(trouble.code)
        case _:
            known = None
    return known or " ".join(explain(trouble).split())


def name_of(names: Sequence[str]) -> str:
    """What the files of one message are called together."""
    return names[0] if len(names) == 1 else counted(len(names), "file")


def on_its_way(upload: e2ecore.Upload) -> str:
    """Say what is being uploaded, how far it is, and what is in its way."""
    name = name_of(upload.names)
    done, total = upload.progress
    far = f"{100 * done // total} % of {size(total)} are at the relay" if done else ""
    if upload.is_paused:
        return f"{name}: {_listed('paused', far)}"
    trouble = why(upload.trouble)
    return f"{name}: {_listed(far, trouble or (not far and 'waits for the relay') or '')}"


def whereabouts(
    file: e2ecore.Attachment,
    status: e2ecore.FileStatus | None,
    now_ms: int,
    *,
    ask: str,
    fetch: str,
) -> str:
    """Say where a file is, who waits for it and how long.

    Args:
        file: As the engine shows it.
        status: What the relay said of it last; None: it was not asked.
        now_ms: UTC.
        ask: What asks the sender for it again.
        fetch: What fetches it.
    """
    match file.state:
        case _States.WAITING:
            return "on its way to the relay"
        case _States.FAILED:
            return "not sent"
        case _States.STORED:
            return "here"
        case _States.EXPIRED:
            return f"expired before it was fetched; {ask} asks the sender again"
        case _States.REMOTE:
            return _listed(f"{fetch} fetches it", _expiry(file, status, now_ms))
        case _States.UPLOADED:
            return _uploaded(file, status, now_ms)


def _uploaded(file: e2ecore.Attachment, status: e2ecore.FileStatus | None, now_ms: int) -> str:
    deletion = file.deletion or (status.deletion if status else None)
    if deletion is not None:
        return f"gone: {_GONE[deletion.reason]}"
    if status is not None and not status.is_complete:
        return "on its way to the relay"
    waits = f"waiting for {status.waiting} of {status.recipients}" if status else "at the relay"
    return _listed(waits, _expiry(file, status, now_ms))


def _expiry(file: e2ecore.Attachment, status: e2ecore.FileStatus | None, now_ms: int) -> str:
    expires_ms = status.expires_ms if status else file.expires_ms
    if expires_ms is None:
        return ""
    left_s = (expires_ms - now_ms) // 1000
    return f"expires in {span(left_s)}" if left_s > 0 else "its time is over"


def _listed(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def description(file: e2ecore.Attachment, visible_name: Callable[[str], str]) -> str:
    """Say what a file is: its name, how large or how long."""
    if file.form is e2ecore.AttachmentForm.VOICE:
        return f"voice note, {length(file.duration_ms)}, {size(file.size)}"
    return f"{visible_name(file.name)}, {size(file.size)}"
