"""Comparisons with our other devices that are under way. In memory: what is lost is begun anew."""

from collections import OrderedDict
from typing import Final

from e2ecore.sync.reconciling import Reconciler

MAX_COMPARISONS: Final = 8
"""Comparisons remembered: each holds what is kept, as it was when it began."""
MAX_ANSWERS: Final = 600
"""Answers that one device gets per connection: twice as many as one comparison may need."""


class Comparisons:
    """What this device has asked, and how often it has answered."""

    __slots__ = ("_answers", "_asked")

    def __init__(self) -> None:
        self._asked: OrderedDict[bytes, tuple[bytes, Reconciler]] = OrderedDict()
        self._answers: dict[bytes, int] = {}

    def ask(self, session: bytes, device_id: bytes, asking: Reconciler) -> None:
        """A device was asked something."""
        self._asked[session] = device_id, asking
        while len(self._asked) > MAX_COMPARISONS:
            self._asked.popitem(last=False)

    def answered(self, session: bytes, device_id: bytes) -> Reconciler | None:
        """Return the comparison that a device has answered; None: it was not asked that."""
        who, asking = self._asked.pop(session, (b"", None))
        return asking if who == device_id else None

    def may_answer(self, device_id: bytes) -> bool:
        """Count a question; answer whether it is to be answered."""
        count = self._answers[device_id] = self._answers.get(device_id, 0) + 1
        return count <= MAX_ANSWERS

    def reconnected(self) -> None:
        """A new connection: questions are counted anew."""
        self._answers.clear()
