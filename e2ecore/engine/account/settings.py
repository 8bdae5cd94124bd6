"""Settings of an app, which all devices of the account know.

The engine itself is set by none of them, whatever they are called: what needs a consent is turned
on where the person agrees, and nowhere else.

Spec: protocol/spec/75-own-devices.md, [OPL-26]
"""

from typing import TYPE_CHECKING, Final, TypeAlias

from e2ecore.engine.errors import BadSettingError
from e2ecore.engine.own_talk.oplog import say
from e2ecore.engine.running.job import Job
from e2ecore.storage import app_settings
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.content.op_bodies import ENGINE_SETTINGS, Setting
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_INTEGER, MAX_SETTING_BYTES

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

SettingValue: TypeAlias = bool | int | str | bytes
"""What a setting may be."""
MAX_SETTINGS: Final = 256
"""Settings that an app may have: each is an op that every new device gets."""


class Settings:
    """What the app lets all devices of this account know: how it looks, what is folded, and so on.

    Nobody else sees them. Of two devices that set the same without knowing of each other, the later
    one counts.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core

    async def get(self, name: str) -> SettingValue | None:
        """Return a setting; None: it is not set, or in a form that only a newer version reads.

        Raises:
            BadSettingError: No setting can be called that.
        """
        subject = _checked_name(name).decode()
        return _shown(self._core.read(lambda tx: app_settings.get(tx, subject)) or b"")

    async def all(self) -> dict[str, SettingValue]:
        """Return every setting that can be read, by name."""
        rows = self._core.read(app_settings.all_rows)
        found = {row.name: _shown(row.value) for row in rows}
        return {name: value for name, value in found.items() if value is not None}

    async def set(self, name: str, value: SettingValue) -> None:
        """Set something on all devices.

        Args:
            name: 1 to 64 of ``a`` to ``z``, ``0`` to ``9`` and ``_``, not a digit first, and not
                beginning with ``e2e_``.
            value: A truth value, a number of at most 63 bits, a text or bytes; some 4,000 bytes.

        Raises:
            BadSettingError: The name or the value cannot be, or there are 256 others.
            NotRegisteredError: There is no account yet.
        """
        await self._put(_checked_name(name), _checked_value(value))

    async def remove(self, name: str) -> None:
        """Set something no longer, on all devices.

        Raises:
            BadSettingError: No setting can be called that.
            NotRegisteredError: There is no account yet.
        """
        await self._put(_checked_name(name), b"")

    async def _put(self, subject: bytes, value: bytes) -> None:
        name = subject.decode()

        def work(job: Job) -> None:
            before = app_settings.get(job.tx, name) or b""
            if before == value:
                return
            if not before and len(app_settings.all_rows(job.tx)) >= MAX_SETTINGS:
                raise BadSettingError(f"{MAX_SETTINGS} settings at most")
            app_settings.put(job.tx, name, value)
            say(job, subject, Setting(value))

        await self._core.jobs.run(work)


def _shown(value: bytes) -> SettingValue | None:
    try:
        (found,) = unpack(value, MAX_SETTING_BYTES)
    except (MalformedError, ValueError):
        return None
    return found if isinstance(found, bool | int | str | bytes) else None


def _checked_name(name: str) -> bytes:
    try:
        subject = Setting.SUBJECT(name.encode())
    except (MalformedError, UnicodeEncodeError):
        raise BadSettingError("no setting can be called that") from None
    if subject.startswith(ENGINE_SETTINGS):
        raise BadSettingError("this name is the engine's own")
    return subject


def _checked_value(value: SettingValue) -> bytes:
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise BadSettingError("a number has at most 63 bits")
    try:
        packed = pack((value,))
    except UnicodeEncodeError:
        raise BadSettingError("no Unicode text") from None
    if len(packed) > MAX_SETTING_BYTES:
        raise BadSettingError(f"{len(packed)} bytes, {MAX_SETTING_BYTES} at most")
    return packed
