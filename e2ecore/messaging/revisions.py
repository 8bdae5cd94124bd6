"""Who may edit a message or take it back, and what becomes of it.

The window is judged by the author's own times alone, so that all devices judge alike, whenever they
get to see the edit. An author who lies about them deceives nobody: that a text was edited is shown.

Spec: protocol/spec/50-content.md, [CNT-30] to [CNT-34]
"""

from dataclasses import dataclass
from enum import Enum

from e2ecore.errors import PeerError
from e2ecore.messaging.stamps import Stamp
from e2ecore_protocol.limits import EDIT_WINDOW_MS


class EditTooLateError(PeerError):
    """Somebody edited a message more than a day after sending it. The edit was refused."""


class EditedKindError(PeerError):
    """Somebody edited something that is no text. The edit was refused."""


class Fate(Enum):
    """What becomes of an edit."""

    SHOWN = "shown"
    """Its words replace those that are shown, which are kept."""
    KEPT = "kept"
    """Another edit that came before it counts more; its words are kept as earlier ones."""
    NOTHING = "nothing"
    """It is here already."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A message as far as its editing goes."""

    sent_ms: int
    is_text: bool
    edited: Stamp | None


def judge_edit(subject: Subject, stamp: Stamp) -> Fate:
    """Decide about an edit by the author of a message.

    Raises:
        EditTooLateError: The window is over.
        EditedKindError: The message is no text.
    """
    if not subject.is_text:
        raise EditedKindError
    if not is_in_window(subject.sent_ms, stamp.changed_ms):
        raise EditTooLateError
    if subject.edited is None or stamp > subject.edited:
        return Fate.SHOWN
    return Fate.NOTHING if stamp == subject.edited else Fate.KEPT


def is_in_window(sent_ms: int, changed_ms: int) -> bool:
    """Answer whether a text that was sent at one time may be edited at another one."""
    return changed_ms <= sent_ms + EDIT_WINDOW_MS
