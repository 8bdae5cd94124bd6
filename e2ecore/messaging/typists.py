"""Who is typing, and when to say so: rules without a clock. Nothing of this is ever stored.

Spec: protocol/spec/50-content.md, [CNT-84] to [CNT-86]
"""

from dataclasses import dataclass
from typing import NamedTuple

from e2ecore_protocol.limits import SIGNAL_AGE_MS, TYPING_REPEAT_MS, TYPING_SHOWN_MS


@dataclass(frozen=True, slots=True)
class Told:
    """What this device last told of its own user in one conversation.

    Attributes:
        is_typing: Was it that they are typing?
        typing_ms: When it last said so; None: not since they last stopped or sent something.
        stamp_ms: Stamp of the last signal.
    """

    is_typing: bool = False
    typing_ms: int | None = None
    stamp_ms: int = 0

    def is_due(self, now_ms: int, *, is_typing: bool) -> bool:
        """Is there anything to tell now?"""
        since_ms = None if self.typing_ms is None else now_ms - self.typing_ms
        if is_typing:
            return since_ms is None or not 0 <= since_ms < TYPING_REPEAT_MS
        return self.is_typing and since_ms is not None and since_ms < TYPING_SHOWN_MS

    def after(self, now_ms: int, *, is_typing: bool) -> "Told":
        """Return what was told after one more signal.

        Who stopped keeps their pause: changing one's mind all the time is not told all the time.
        """
        typing_ms = now_ms if is_typing else self.typing_ms
        return Told(is_typing, typing_ms, max(now_ms, self.stamp_ms + 1))

    def said(self) -> "Told":
        """Return what was told after a message: the message says that they do not type any more."""
        return Told(stamp_ms=self.stamp_ms)


class Typist(NamedTuple):
    """Somebody in a conversation."""

    conversation: bytes
    account_id: bytes


class _Heard(NamedTuple):
    conversation: bytes
    device_id: bytes


class Typists:
    """Everybody else who is typing now. All times are the relay's."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._until: dict[Typist, dict[bytes, int]] = {}
        """For each of the typist's devices, until when what it said counts."""
        self._stamps: dict[_Heard, int] = {}

    @property
    def is_empty(self) -> bool:
        """Is nobody typing?"""
        return not self._until

    def of(self, conversation: bytes) -> list[bytes]:
        """Return the accounts that are typing in a conversation, who began first."""
        return [one.account_id for one in self._until if one.conversation == conversation]

    def is_news(self, conversation: bytes, device_id: bytes, stamp_ms: int, now_ms: int) -> bool:
        """Is a signal of now, and newer than all that its device signalled before?"""
        if abs(now_ms - stamp_ms) > SIGNAL_AGE_MS:
            return False
        return stamp_ms > self._stamps.get(_Heard(conversation, device_id), -1)

    def hear(
        self, who: Typist, device_id: bytes, stamp_ms: int, now_ms: int, *, is_typing: bool
    ) -> bool:
        """Take a signal that is genuine and news. Return whether the person began or stopped."""
        self._stamps[_Heard(who.conversation, device_id)] = stamp_ms
        was_typing = who in self._until
        if is_typing:
            self._until.setdefault(who, {})[device_id] = now_ms + TYPING_SHOWN_MS
        else:
            self._stop(who, device_id)
        return was_typing != (who in self._until)

    def end(self, who: Typist) -> bool:
        """Note that somebody stopped, by what else came from them; return whether that is news."""
        return self._until.pop(who, None) is not None

    def expire(self, now_ms: int) -> list[Typist]:
        """Forget what does not count any more. Return who stopped by that."""
        late = now_ms - SIGNAL_AGE_MS
        self._stamps = {heard: stamp for heard, stamp in self._stamps.items() if stamp >= late}
        over = [
            (who, device_id)
            for who, devices in self._until.items()
            for device_id, until_ms in devices.items()
            if not now_ms < until_ms <= now_ms + TYPING_SHOWN_MS
        ]
        for who, device_id in over:
            self._stop(who, device_id)
        return [who for who in dict.fromkeys(who for who, _ in over) if who not in self._until]

    def next_ms(self, now_ms: int) -> int:
        """Return in how many milliseconds ``expire`` has something to do, SIGNAL_AGE_MS at most."""
        ends = [until for devices in self._until.values() for until in devices.values()]
        ends += [stamp + SIGNAL_AGE_MS + 1 for stamp in self._stamps.values()]
        return min(max(0, min(ends, default=now_ms + SIGNAL_AGE_MS) - now_ms), SIGNAL_AGE_MS)

    @property
    def is_idle(self) -> bool:
        """Is there nothing left to expire?"""
        return not self._until and not self._stamps

    def _stop(self, who: Typist, device_id: bytes) -> None:
        devices = self._until.get(who, {})
        devices.pop(device_id, None)
        if not devices:
            self._until.pop(who, None)
