"""The account's own key on its way to a device that was confirmed: taken, and noted by all.

In the writer's thread. Who gives it is in ``confirming``.

Spec: protocol/spec/70-linking.md, [LNK-60] to [LNK-67]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from e2ecore.crypto.errors import DecryptionError, KeyMaterialError, SignatureError
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.account.accounts import used
from e2ecore.engine.own_talk.own_group import tell_own_devices
from e2ecore.engine.own_talk.own_topic import OwnTopic
from e2ecore.engine.running.job import Job
from e2ecore.engine.telling.device_events import DeviceConfirmed
from e2ecore.errors import PeerError
from e2ecore.ids import DeviceId
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.storage import account, key_packages, settings
from e2ecore.storage.tx import Tx
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.content.key_handover import (
    KEY_HANDOVER_INFO,
    KeyHandover,
    handover_context,
)

if TYPE_CHECKING:
    from e2ecore.engine.running.mirror import Mirror, Peer

_CONFIRMED: Final = "confirmed:"
_TIME_BYTES: Final = 8


class BadKeyHandoverError(PeerError):
    """A device of ours sent a key that is not this account's, or does not have it. Refused."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """That a device was confirmed."""

    time_ms: int
    early: bool


def confirmation_of(tx: Tx, device_id: bytes) -> Confirmation | None:
    """Return what is known of a device's second confirmation."""
    stored = settings.get(tx, _CONFIRMED + device_id.hex())
    if stored is None:
        return None
    return Confirmation(int.from_bytes(stored[:_TIME_BYTES]), bool(stored[_TIME_BYTES]))


def note_confirmed(job: Job, said: KeyHandover) -> None:
    """Remember that a device has the account's own key, and tell the app; once."""
    known = confirmation_of(job.tx, said.device_id)
    if known is not None and said.time_ms <= known.time_ms:
        return
    value = said.time_ms.to_bytes(_TIME_BYTES) + bytes((said.early,)) + said.encode()
    settings.put(job.tx, _CONFIRMED + said.device_id.hex(), value)
    event = DeviceConfirmed(DeviceId(said.device_id), DeviceId(said.by), early=bool(said.early))
    job.effects.events.append(event)


def tell_confirmations(job: Job) -> None:
    """Say again which devices were confirmed: one that was linked since has not heard it."""
    if not job.own.holds_identity:
        return
    stored = [
        settings.get(job.tx, _CONFIRMED + one.device_id.hex()) or b""
        for one in _chain(job).live_devices()
    ]
    signed = [value[_TIME_BYTES + 1 :] for value in stored]
    tell_own_devices(job, OwnTopic.IDENTITY_KEY, [one for one in signed if one])


def take_key_handover(job: Job, _mirror: "Mirror", _sender: "Peer", body: bytes) -> None:
    """Take what a device says that has confirmed another one; the key, if we are that one.

    Raises:
        MalformedError: It cannot be read.
        PeerError: The key is not that of this account, or not for us; or the account has not signed
            it, [LNK-66].
    """
    said = KeyHandover.decode(body)
    _check(job, said)
    if said.device_id == job.own.device_id and not job.own.holds_identity:
        _take_key(job, said)
    note_confirmed(job, said)


def _chain(job: Job) -> AccountState:
    chain = job.state.chain(job.tx, job.own.account_id)
    if chain is None:
        raise BadKeyHandoverError("no chain to check it by")
    return chain


def _check(job: Job, said: KeyHandover) -> None:
    chain = _chain(job)
    try:
        ED25519.verify(chain.identity_key, said.signed_message(chain.account_id), said.signature)
    except SignatureError as error:
        raise BadKeyHandoverError("said by a device that does not have the key") from error


def _take_key(job: Job, said: KeyHandover) -> None:
    stored = key_packages.get(job.tx, said.key_package)
    row = account.load(job.tx)
    if stored is None or row is None:
        raise BadKeyHandoverError("sealed to a key that is not here any more")
    bundle = KeyPackageBundle.decode(stored.bundle)
    context = handover_context(row.account_id, row.device_id, said.key_package)
    hpke = job.state.suite.hpke
    try:
        private = hpke.open(said.enc, bundle.init_key, KEY_HANDOVER_INFO, context, said.sealed)
        identity = ED25519.load(private)
    except (DecryptionError, KeyMaterialError) as error:
        raise BadKeyHandoverError("not for this device") from error
    if identity.public != _chain(job).identity_key:
        raise BadKeyHandoverError("another key than the account's")
    account.replace(job.tx, row._replace(identity_key=private))
    used(job, stored)
    job.state.drop()
