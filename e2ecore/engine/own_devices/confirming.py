"""The second confirmation of a linked device: the end of its quarantine.

A linked device talks, and can change nothing of the account. That ends only when the person says so
again on a device that has the account's key, by default not before a day has passed: long enough to
notice a device that somebody else has linked. Then the key itself goes to the new device, sealed to
one of its key packages, in the conversation of the own devices. All of them learn of it.

Time is the relay's: what it said when the connection was made, and how long that is ago by a clock
that nobody can set.

Spec: protocol/spec/70-linking.md, [LNK-60] to [LNK-67]
"""

from functools import partial
from typing import TYPE_CHECKING, Final

from e2ecore.engine.account.own_chain import own_chain
from e2ecore.engine.errors import (
    DeviceInQuarantineError,
    NoKeyPackageError,
    OnlyDeviceError,
    OwnDevicesNotReadyError,
    UnknownOwnDeviceError,
)
from e2ecore.engine.keys import Keys
from e2ecore.engine.membership.inviting import usable
from e2ecore.engine.own_devices.handing import note_confirmed
from e2ecore.engine.own_devices.moving import drain
from e2ecore.engine.own_talk.own_group import own_group, tell_own_devices
from e2ecore.engine.own_talk.own_topic import OwnTopic
from e2ecore.engine.running.job import Job
from e2ecore.storage import settings
from e2ecore.storage.unlocking import Unlock
from e2ecore_protocol.content.key_handover import (
    KEY_HANDOVER_INFO,
    KEY_HANDOVER_VERSION,
    KeyHandover,
    handover_context,
)
from e2ecore_protocol.frames.key_packages import (
    ClaimDeviceKeyPackages,
    DeviceKeyPackage,
    KeyPackages,
)

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

QUARANTINE_MS: Final = 24 * 3600 * 1000
"""How long after it was linked a device is not confirmed, unless the person insists."""
_SINCE: Final = "quarantined_since:"
_TIME_BYTES: Final = 8


def note_linked(job: Job, device_id: bytes, relay_ms: int) -> int:
    """Begin a quarantine, if it has not begun; return when it did, by the relay's clock."""
    name = _SINCE + device_id.hex()
    stored = settings.get(job.tx, name)
    if stored is not None:
        return int.from_bytes(stored)
    settings.put(job.tx, name, relay_ms.to_bytes(_TIME_BYTES))
    return relay_ms


async def confirm_device(
    core: "Core", device_id: bytes, key: str | Unlock, *, override: bool
) -> None:
    """Give a device the account's own key; see ``Devices.confirm``."""
    await core.jobs.run(partial(_check, device_id=device_id))
    await Keys(core).verify(key)
    link = await core.await_link()
    relay_ms = core.upkeep.relay_ms()
    since_ms = await core.jobs.run(partial(note_linked, device_id=device_id, relay_ms=relay_ms))
    early = relay_ms - since_ms < QUARANTINE_MS
    if early and not override:
        raise DeviceInQuarantineError(since_ms + QUARANTINE_MS)
    claim = ClaimDeviceKeyPackages(0, core.account_id, device_id, 1)
    answer = await link.request(claim, KeyPackages)
    packages = tuple(one for one in answer.packages if one.device_id == device_id)
    await core.jobs.run(partial(_hand_over, packages=packages, device_id=device_id, early=early))
    await drain(core)


def _check(job: Job, device_id: bytes) -> None:
    _ = job.own.identity
    if device_id == job.own.device_id:
        raise OnlyDeviceError
    if all(one.device_id != device_id for one in own_chain(job).live_devices()):
        raise UnknownOwnDeviceError


def _hand_over(
    job: Job, packages: tuple[DeviceKeyPackage, ...], device_id: bytes, *, early: bool
) -> None:
    """Seal the key to a key package of the device; tell all devices, in one transaction."""
    _check(job, device_id)
    own, group = job.own, own_group(job)
    if group is None or not group.is_member(device_id):
        raise OwnDevicesNotReadyError  # it would not hear of it
    found = usable(job, packages, {own.account_id})
    if not found:
        raise NoKeyPackageError
    package = found[0][1]
    ref = package.ref()
    enc, sealed = job.state.suite.hpke.seal(
        package.init_key,
        KEY_HANDOVER_INFO,
        handover_context(own.account_id, device_id, ref),
        own.identity.private,
    )
    said = KeyHandover(
        KEY_HANDOVER_VERSION, device_id, own.device_id, int(early), job.now_ms, ref, enc, sealed
    ).signed(own.account_id, own.identity.sign)
    if not tell_own_devices(job, OwnTopic.IDENTITY_KEY, (said.encode(),)):
        raise OwnDevicesNotReadyError
    note_confirmed(job, said)
