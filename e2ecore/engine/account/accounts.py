"""Our own account: made, registered, and supplied with key packages. In the writer's thread."""

from typing import Final, NamedTuple

from e2ecore.crypto.signing import ED25519
from e2ecore.engine.account.chains import store_chain
from e2ecore.engine.account.profiles import note_own_names
from e2ecore.engine.errors import AlreadyRegisteredError
from e2ecore.engine.membership.founding import capabilities
from e2ecore.engine.running.job import Job
from e2ecore.mls.key_package import DEFAULT_LIFETIME_S, KeyPackageBundle
from e2ecore.storage import account, chains, key_packages
from e2ecore.storage.account import AccountRow, AccountState
from e2ecore.storage.key_packages import KeyPackageRow, KeyPackageState
from e2ecore.storage.tx import Tx
from e2ecore_protocol.chain.bodies import DeviceAdded
from e2ecore_protocol.chain.entry import (
    account_id_of,
    device_id_of,
    possession_message,
    sign_entry,
)
from e2ecore_protocol.chain.state import genesis_entry
from e2ecore_protocol.limits import (
    LAST_RESORT_KEY_PACKAGE_S,
    MAX_ENVELOPE_LIFETIME_S,
    MAX_KEY_PACKAGES_PER_FRAME,
    ONE_TIME_KEY_PACKAGE_S,
)

KEY_PACKAGES_WANTED: Final = 50
"""One-time key packages at the relay after a top-up: how many people can add us while away."""
RENEWAL_MS: Final = 30 * 24 * 3600 * 1000
"""Key packages are replaced when less than this is left of their lifetime: whoever connects once a
month can always be added."""


LAST_RESORT_LIFETIME_S: Final = 365 * 24 * 3600
"""A last resort is what remains of somebody who is away for long, so it lives longer. Its price:
whoever steals the device before it is replaced can open the invitations made with it."""
LAST_RESORT_RENEWAL_MS: Final = 305 * 24 * 3600 * 1000
"""The same for the last resort: it is replaced after two months, and at once when it was used."""
RETIRED_MS: Final = (MAX_ENVELOPE_LIFETIME_S + 24 * 3600) * 1000
"""How long the private parts of replaced key packages stay: as long as an invitation made with one
may be on its way."""
REPLACE_AGAIN_MS: Final = 10 * 60_000
"""Pause between two replacements of all key packages: anybody can send invitations that cannot be
opened, and making keys costs."""


class Registration(NamedTuple):
    """What the relay needs to make our account."""

    entries: tuple[bytes, ...]
    account_id: bytes
    is_repeat: bool
    """The keys are of an earlier attempt, of which the relay may have heard."""


def prepare(job: Job, handle: str | None, display_name: str | None, relay: str) -> Registration:
    """Make the keys and the first two entries of our chain, or take those made earlier.

    They are durable before the relay hears of them, so a lost answer costs nothing.

    Raises:
        AlreadyRegisteredError: There is a registered account.
    """
    row = account.load(job.tx)
    if row is not None and row.state == AccountState.LINKING and not row.identity_key:
        account.remove(job.tx)  # it came to nothing, or is given up
        row = None
    if row is not None and row.state != AccountState.MADE:
        raise AlreadyRegisteredError
    is_repeat = row is not None
    if row is None:
        row = _make(job)
    account.replace(
        job.tx,
        row._replace(handle=handle or "", display_name=display_name or "", relay=relay),
    )
    job.state.drop()
    entries = tuple(one.entry for one in chains.entries(job.tx, row.account_id))
    return Registration(entries, row.account_id, is_repeat)


def _make(job: Job) -> AccountRow:
    now_ms = job.now_ms
    identity, device = ED25519.generate(job.state.rng), ED25519.generate(job.state.rng)
    genesis = genesis_entry(identity.public, created_ms=now_ms, sign=identity.sign)
    account_id = account_id_of(genesis)
    message = possession_message(account_id, 1, genesis.hash(), device.public)
    added = sign_entry(
        account_id,
        1,
        genesis.hash(),
        DeviceAdded(device.public, device.sign(message)),
        created_ms=now_ms,
        sign=identity.sign,
    )
    row = AccountRow(
        account_id,
        device_id_of(device.public),
        identity.private,
        device.private,
        "",
        "",
        "",
        AccountState.MADE,
        now_ms,
    )
    account.create(job.tx, row)
    store_chain(job, account_id, (genesis.encode(), added.encode()))
    return row


def registered(job: Job) -> AccountRow:
    """The relay has confirmed the account."""
    row = account.load(job.tx)
    if row is None:
        raise AlreadyRegisteredError
    row = row._replace(state=AccountState.REGISTERED)
    account.replace(job.tx, row)
    note_own_names(job)
    return row


_HANDED_OUT_MS: Final = {
    False: ONE_TIME_KEY_PACKAGE_S * 1000,
    True: LAST_RESORT_KEY_PACKAGE_S * 1000,
}
"""What is published must be valid for as long as the relay may hand it out."""


class Supply(NamedTuple):
    """Key packages to publish."""

    refs: tuple[bytes, ...]
    one_time: tuple[bytes, ...]
    last_resort: bytes | None
    renews: bool
    """They take the place of all that were published before."""


def supply_due(job: Job) -> bool:
    """Answer whether key packages that the relay has are about to expire."""
    return _renewal_due(job.tx, job.now_ms) or _needs_last_resort(job.tx, job.now_ms)


def make_key_packages(job: Job, left: int) -> Supply:
    """Return key packages to publish; private parts are durable before anybody can use them.

    Those that were made and perhaps not published are taken first: publishing is repeated after a
    lost answer.

    Args:
        job: The work under way.
        left: One-time key packages that the relay has, unless it said otherwise since.
    """
    told, job.state.key_packages_left = job.state.key_packages_left, None
    left = left if told is None else told
    now_ms = job.now_ms
    renews = _renewal_due(job.tx, now_ms)
    key_packages.remove_expired(job.tx, now_ms)
    made = [
        row
        for row in key_packages.in_state(job.tx, KeyPackageState.MADE)
        if row.expires_ms - now_ms >= _HANDED_OUT_MS[bool(row.last_resort)]
    ]
    one_time = [row for row in made if not row.last_resort]
    wanted = MAX_KEY_PACKAGES_PER_FRAME if renews or told == 0 else KEY_PACKAGES_WANTED - left
    missing = max(0, wanted - len(one_time))
    fresh = [_bundle(job, last_resort=False) for _ in range(missing)]
    last = next((row for row in made if row.last_resort), None)
    if last is None and _needs_last_resort(job.tx, now_ms):
        last = _bundle(job, last_resort=True)
        fresh.append(last)
    key_packages.add(job.tx, fresh)
    rows = [*one_time, *(row for row in fresh if not row.last_resort)]
    refs = tuple(row.ref for row in (*rows, *((last,) if last else ())))
    return Supply(
        refs,
        tuple(KeyPackageBundle.decode(row.bundle).message for row in rows),
        KeyPackageBundle.decode(last.bundle).message if last else None,
        renews,
    )


def replace_key_packages(job: Job) -> None:
    """Have the relay hand out fresh key packages only: it has some whose private parts are gone."""
    state, now_ms = job.state, job.now_ms
    if state.replaced_ms and now_ms - state.replaced_ms < REPLACE_AGAIN_MS:
        return
    state.replaced_ms = now_ms
    state.replacing = True
    known = key_packages.in_state(job.tx, KeyPackageState.PUBLISHED)
    key_packages.retire(job.tx, [row.ref for row in known], now_ms + RETIRED_MS)
    state.key_packages_left = KEY_PACKAGES_WANTED - MAX_KEY_PACKAGES_PER_FRAME
    job.effects.key_packages_low = True


def published(job: Job, supply: Supply) -> None:
    """The relay has them.

    Those that they replace stay here for a while: invitations may be on their way.
    """
    replaced = [
        row.ref
        for row in key_packages.in_state(job.tx, KeyPackageState.PUBLISHED)
        if (supply.last_resort is not None if row.last_resort else supply.renews)
    ]
    key_packages.retire(job.tx, replaced, job.now_ms + RETIRED_MS)
    key_packages.set_state(job.tx, supply.refs, KeyPackageState.PUBLISHED)
    job.state.replacing = False


def used(job: Job, row: KeyPackageRow) -> None:
    """We have joined with a key package.

    A one-time package is gone with this transaction, a last resort is replaced as soon as possible.

    Spec: RFC 9420 §16.8 (KeyPackage Reuse)
    """
    if not row.last_resort:
        key_packages.remove(job.tx, row.ref)
    elif row.state == KeyPackageState.PUBLISHED:
        key_packages.retire(job.tx, (row.ref,), job.now_ms + RETIRED_MS)
        job.effects.key_packages_low = True


def _renewal_due(tx: Tx, now_ms: int) -> bool:
    known = key_packages.in_state(tx, KeyPackageState.PUBLISHED)
    return any(row.expires_ms - now_ms < RENEWAL_MS for row in known if not row.last_resort)


def _needs_last_resort(tx: Tx, now_ms: int) -> bool:
    known = key_packages.in_state(tx, KeyPackageState.PUBLISHED)
    return all(row.expires_ms - now_ms < LAST_RESORT_RENEWAL_MS for row in known if row.last_resort)


def _bundle(job: Job, *, last_resort: bool) -> KeyPackageRow:
    own = job.own
    bundle = KeyPackageBundle.generate(
        job.state.suite,
        own.signer,
        own.leaf_identity,
        now_ms=job.now_ms,
        rng=job.state.rng,
        capabilities=capabilities(job),
        lifetime_s=LAST_RESORT_LIFETIME_S if last_resort else DEFAULT_LIFETIME_S,
        last_resort=last_resort,
    )
    lifetime = bundle.key_package.leaf_node.lifetime
    expires_ms = lifetime.not_after * 1000 if lifetime else 0
    return KeyPackageRow(
        bundle.ref, bundle.encode(), int(last_resort), KeyPackageState.MADE, expires_ms
    )
