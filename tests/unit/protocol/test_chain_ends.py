"""When what a chain allows ends by itself."""

from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC, DeviceRemoved
from e2ecore_protocol.chain.entry import device_id_of
from tests.support.chains import (
    NOW_MS,
    added,
    device,
    granted,
    grown,
    new_account,
    withdrawn,
)

ACCOUNT = new_account()
FIRST_DEVICE = device_id_of(bytes(device(1).verify_key))


def test_the_end_of_a_purpose_is_that_of_its_last_consent() -> None:
    assert ACCOUNT.ends_ms(MULTI_DEVICE_SYNC, NOW_MS) == NOW_MS
    short = granted(expires_ms=NOW_MS + 10)
    longer = granted(expires_ms=NOW_MS + 20, consent_id=b"d" * 16)
    state = grown(ACCOUNT, short, longer, granted("profiling", consent_id=b"e" * 16))
    assert state.ends_ms(MULTI_DEVICE_SYNC, NOW_MS) == NOW_MS + 20
    assert state.ends_ms(MULTI_DEVICE_SYNC, NOW_MS + 20) == NOW_MS + 20
    assert state.ends_ms("profiling", NOW_MS) is None
    state = grown(state, withdrawn(b"d" * 16))
    assert state.ends_ms(MULTI_DEVICE_SYNC, NOW_MS) == NOW_MS + 10


def test_when_the_consent_expires_only_the_oldest_device_stays_valid() -> None:
    state = grown(ACCOUNT, granted(expires_ms=NOW_MS + 10))
    state = grown(state, added(state, 2))
    assert len(state.valid_devices(NOW_MS + 9)) == 2
    assert [one.device_id for one in state.valid_devices(NOW_MS + 10)] == [FIRST_DEVICE]


def test_a_device_was_valid_as_long_as_it_was_live_and_covered() -> None:
    """What counts is the time at which it spoke, not the time at which it is judged."""
    later = NOW_MS + 1_000
    state = grown(ACCOUNT, granted(expires_ms=later))
    state = grown(state, added(state, 2))
    second = device_id_of(bytes(device(2).verify_key))
    assert state.was_valid(second, later - 1)
    assert not state.was_valid(second, later)
    assert state.was_valid(FIRST_DEVICE, later)
    assert state.was_valid(bytes(16), later), "the chain knows nothing of it"
    gone = grown(state, DeviceRemoved(second))
    removed_ms = gone.devices[second].removed_ms
    assert removed_ms is not None
    assert gone.was_valid(second, removed_ms - 1)
    assert not gone.was_valid(second, removed_ms)
