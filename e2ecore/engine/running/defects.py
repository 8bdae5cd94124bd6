"""Defects: something has failed that must not fail.

It is contained where it happened, the app is told by an event, and the log names the places in the
code: no message of the foreign error, no value of a variable, because either may hold content.
"""

import logging
import traceback
from pathlib import Path
from typing import Final

from e2ecore.engine.errors import EngineClosedError
from e2ecore.errors import CorruptStateError, E2EError, UsageError

LOG: Final = logging.getLogger("e2ecore")
LOG.addHandler(logging.NullHandler())
_PLACES: Final = 6
"""Calls that the log names, the innermost first."""


class IntentBrokenError(Exception):
    """An intent cannot be carried out because of a defect, its cause. For the committer only."""

    def __init__(self, iid: int) -> None:
        super().__init__(iid)
        self.iid = iid


def is_defect(error: BaseException) -> bool:
    """Is this an error that no peer, relay or disk can be blamed for?"""
    if isinstance(error, EngineClosedError):
        return False
    return isinstance(error, CorruptStateError | UsageError) or not isinstance(error, E2EError)


def log_defect(doing: str, error: BaseException) -> None:
    """Write what happened, and where, without content."""
    LOG.error("%s: %s at %s", doing, type(error).__name__, _places(error))


def _places(error: BaseException) -> str:
    calls = traceback.extract_tb(error.__traceback__)[-_PLACES:]
    found = [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in reversed(calls)]
    return ", ".join(found) or "an unknown place"
