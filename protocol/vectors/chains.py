"""Vectors of account chains: a good one for each feature, and for each rule one that breaks it."""

from collections.abc import Callable
from dataclasses import replace

from inputs import NOW_MS, Json, filler, public, signer

from e2ecore_protocol.chain import (
    MULTI_DEVICE_SYNC,
    AccountClosed,
    AccountState,
    Body,
    ConsentGranted,
    ConsentWithdrawn,
    DeviceAdded,
    DeviceRemoved,
    Entry,
    Genesis,
    RemovalReason,
    device_id_of,
    extend,
    genesis_entry,
    start,
)
from e2ecore_protocol.codec import Wire, pack

DAY_MS = 86_400_000
KEYS = ("identity", *[f"device {number}" for number in range(1, 8)])
Step = Body | Callable[[AccountState], Body]


def trust(_key: bytes, _message: bytes, _signature: bytes) -> None:
    """Check nothing: all signatures are made here."""


def device_id(number: int) -> bytes:
    """Return the id of one of the devices."""
    return device_id_of(public(f"device {number}"))


def added(number: int, by: str = "") -> Callable[[AccountState], Body]:
    """Add a device; ``by`` names another key that signs for it."""
    name = f"device {number}"

    def make(state: AccountState) -> Body:
        message = state.next_possession_message(public(name))
        return DeviceAdded(public(name), signer(by or name)(message))

    return make


def granted(purpose: str = MULTI_DEVICE_SYNC, days: int | None = None, name: str = "one") -> Body:
    """Grant a consent, for some days or without end."""
    expires_ms = None if days is None else NOW_MS + days * DAY_MS
    notice, commitment = filler("notice", 32), filler("commitment", 32)
    return ConsentGranted(filler(f"consent {name}", 16), purpose, notice, commitment, expires_ms)


def withdrawn(name: str = "one") -> Body:
    """Withdraw a consent."""
    return ConsentWithdrawn(filler(f"consent {name}", 16))


def genesis() -> Entry:
    """Return the first entry of all chains here."""
    return genesis_entry(public("identity"), created_ms=NOW_MS, sign=signer("identity"))


def following(state: AccountState, step: Step, now_ms: int = NOW_MS) -> Entry:
    """Return the signed entry that makes a step, allowed or not."""
    body = step if isinstance(step, Body) else step(state)
    return state.next_entry(body, now_ms=now_ms, sign=signer("identity"))


def grown(*steps: Step) -> tuple[AccountState, list[Entry]]:
    """Return a good chain: genesis, device 1, and some steps."""
    entries = [genesis()]
    state = start(entries, trust)
    for step in (added(1), *steps):
        entries.append(following(state, step))
        state = extend(state, entries[-1:], trust)
    return state, entries


def resigned(entry: Entry) -> Entry:
    """Sign again what was changed."""
    return replace(entry, signature=signer("identity")(entry.signed_message()))


VALID: dict[str, tuple[Step, ...]] = {
    "one device": (),
    "the only device replaced": (DeviceRemoved(device_id(1)), added(2)),
    "two devices with consent": (granted(), added(2)),
    "six devices": (granted(), *[added(number) for number in range(2, 7)]),
    "consent for ten days": (granted(days=10), added(2)),
    "consent withdrawn after the other device": (
        *(granted(), added(2), DeviceRemoved(device_id(2)), withdrawn()),
    ),
    "the first device removed, then the consent": (
        *(granted(), added(2), DeviceRemoved(device_id(1)), withdrawn()),
    ),
    "the other device removed as its consent is withdrawn": (
        *(granted(), added(2)),
        *(DeviceRemoved(device_id(2), RemovalReason.CONSENT_WITHDRAWN), withdrawn()),
    ),
    "the other device removed as its consent is over": (
        *(granted(days=10), added(2)),
        DeviceRemoved(device_id(2), RemovalReason.CONSENT_EXPIRED),
    ),
    "the account moved to another device": (
        *(granted(), added(2)),
        *(DeviceRemoved(device_id(1), RemovalReason.MOVED), withdrawn()),
    ),
    "two consents, one withdrawn": (granted(), granted(name="two"), added(2), withdrawn()),
    "another consent withdrawn with two devices": (
        *(granted(), granted("message_backup", name="two"), added(2), withdrawn("two")),
    ),
    "closed": (AccountClosed(),),
}

TWO: tuple[Step, ...] = (granted(), added(2))
SIX: tuple[Step, ...] = (granted(), *[added(number) for number in range(2, 7)])
BROKEN: dict[str, tuple[str, str, tuple[Step, ...], Step]] = {
    "second device without consent": ("consent", "CHN-13", (), added(2)),
    "consent for another purpose": ("consent", "CHN-13", (granted("message_backup"),), added(2)),
    "consent withdrawn before": ("consent", "CHN-13", (granted(), withdrawn()), added(2)),
    "consent withdrawn with two devices": ("consent", "CHN-16", TWO, withdrawn()),
    "seven devices": (
        *("invalid", "CHN-12", SIX),
        added(7),
    ),
    "removed device comes back": ("invalid", "CHN-12", (DeviceRemoved(device_id(1)),), added(1)),
    "key of a stranger": ("signature", "CHN-12", (granted(),), added(2, by="device 3")),
    "unknown device removed": ("invalid", "CHN-14", (), DeviceRemoved(device_id(2))),
    "device removed twice": (
        *("invalid", "CHN-14", (DeviceRemoved(device_id(1)),)),
        DeviceRemoved(device_id(1)),
    ),
    "consent id used twice": ("invalid", "CHN-15", (granted(),), granted()),
    "consent that is over at once": ("invalid", "CHN-15", (), granted(days=0)),
    "unknown consent withdrawn": ("invalid", "CHN-16", (), withdrawn()),
    "consent withdrawn twice": ("invalid", "CHN-16", (granted(), withdrawn()), withdrawn()),
    "entry after the end": ("invalid", "CHN-17", (AccountClosed(),), granted()),
    "second genesis": ("invalid", "CHN-10", (), Genesis(public("identity"))),
}


def changed() -> dict[str, tuple[str, str, bytes]]:
    """Return last entries with exactly one wrong field, for the chain of one device."""
    state, _ = grown()
    good = following(state, granted())
    wrong: dict[str, tuple[str, str, Entry]] = {
        "number left out": ("invalid", "CHN-10", resigned(replace(good, seq=3))),
        "other account": (
            *("invalid", "CHN-10"),
            resigned(replace(good, account_id=filler("other account", 20))),
        ),
        "goes back in time": (
            *("invalid", "CHN-10"),
            resigned(replace(good, created_ms=NOW_MS - 1)),
        ),
        "other entry before": (
            *("fork", "CHN-30"),
            resigned(replace(good, prev_hash=filler("other head", 32))),
        ),
        "other entry at the head": ("fork", "CHN-30", resigned(replace(good, seq=1))),
        "signature over something else": (
            *("signature", "CHN-5"),
            replace(good, created_ms=NOW_MS + 1),
        ),
        "unknown critical kind": ("unknown", "CHN-6", resigned(replace(good, kind=101, body=()))),
    }
    found = {
        why: (expect, clause, entry.encode()) for why, (expect, clause, entry) in wrong.items()
    }
    return {**found, **malformed(good), **malformed_removals(state)}


def malformed_removals(state: AccountState) -> dict[str, tuple[str, str, bytes]]:
    """Return removals of the one device whose reason is none."""
    good = following(state, DeviceRemoved(device_id(1)))
    bodies: dict[str, tuple[Wire, ...]] = {
        "removal with its default written": (device_id(1), 1),
        "removal for no reason": (device_id(1), None),
        "removal for an unknown reason": (device_id(1), len(RemovalReason) + 1),
        "removal with a field too much": (device_id(1), 2, 2),
        "removal of nothing": (),
    }
    return {
        why: ("malformed", "CHN-19", resigned(replace(good, body=body)).encode())
        for why, body in bodies.items()
    }


def malformed(good: Entry) -> dict[str, tuple[str, str, bytes]]:
    """Return encodings of last entries that break the layout."""
    fields: tuple[Wire, ...] = (
        *(good.version, good.account_id, good.seq, good.prev_hash, good.kind, good.body),
        *(good.created_ms, good.signature),
    )

    def with_field(place: int, value: Wire) -> tuple[str, str, bytes]:
        return "malformed", "CHN-1", pack((*fields[:place], value, *fields[place + 1 :]))

    return {
        "version 2": with_field(0, 2),
        "no account": with_field(1, b""),
        "short hash": with_field(3, bytes(31)),
        "kind 0": with_field(4, 0),
        "body of another kind": with_field(5, (filler("device", 16),)),
        "purpose with capitals": with_field(5, (*good.body[:1], "MultiDeviceSync", *good.body[2:])),
        "short signature": with_field(7, bytes(63)),
        "a field too few": ("malformed", "CHN-1", pack(fields[:7])),
        "a byte behind": ("malformed", "ENC-6", pack(fields) + b"\x00"),
    }


def state_json(state: AccountState) -> Json:
    """Return what a chain adds up to."""
    times = (NOW_MS, NOW_MS + 10 * DAY_MS)
    return {
        "account_id": state.account_id.hex(),
        "identity_key": state.identity_key.hex(),
        "head_seq": state.head_seq,
        "head_hash": state.head_hash.hex(),
        "closed": state.closed,
        "checkpoint": state.checkpoint().encode().hex(),
        "live": [device.device_id.hex() for device in state.live_devices()],
        "removed": [
            [device.device_id.hex(), int(device.removed_for)]
            for device in state.devices.values()
            if device.removed_for is not None
        ],
        "valid_at": [
            [now_ms, [device.device_id.hex() for device in state.valid_devices(now_ms)]]
            for now_ms in times
        ],
    }


def chains() -> list[Json]:
    """Return the vectors of chain.json."""
    keys: Json = {name: public(name).hex() for name in KEYS}
    found: list[Json] = [{"name": "keys", "expect": "keys", "keys": keys}]
    for name, steps in VALID.items():
        found.append(good_vector(name, *grown(*steps)))
    skipped = resigned(replace(following(grown()[0], granted()), kind=100, body=(1, "later")))
    state, entries = grown()
    found.append(
        good_vector(
            "unknown kind that is not critical",
            extend(state, [skipped], trust),
            [*entries, skipped],
        )
    )
    for name, (expect, clause, steps, last) in BROKEN.items():
        state, entries = grown(*steps)
        wrong = following(state, last)
        found.append(bad_vector(name, expect, clause, entries, wrong.encode()))
    for name, (expect, clause, data) in changed().items():
        found.append(bad_vector(name, expect, clause, grown()[1], data))
    later = replace(genesis(), signature=bytes(64)).encode()
    found.append(bad_vector("genesis of somebody else", "signature", "CHN-5", [], later))
    return found


def good_vector(name: str, state: AccountState, entries: list[Entry]) -> Json:
    """Return a chain that holds."""
    return {
        "name": name,
        "expect": "valid",
        "entries": [entry.encode().hex() for entry in entries],
        "state": state_json(state),
    }


def bad_vector(name: str, expect: str, clause: str, entries: list[Entry], last: bytes) -> Json:
    """Return a chain whose last entry is wrong."""
    return {
        "name": name,
        "expect": expect,
        "clause": clause,
        "entries": [*[entry.encode().hex() for entry in entries], last.hex()],
    }
