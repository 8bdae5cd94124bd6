"""What the chain has to be told so that it says what the person wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.consent.ledger import ConsentState, Wish, missing_bodies, state_of
from e2ecore_protocol.chain import (
    MULTI_DEVICE_SYNC,
    AccountState,
    ConsentGranted,
    ConsentWithdrawn,
    DeviceRemoved,
    RemovalReason,
    device_id_of,
)
from tests.support.chains import NOW_MS, added, device, granted, grown, new_account, withdrawn

pytestmark = pytest.mark.clause("GB42012-8.1.1d")
FIRST = device_id_of(bytes(device(1).verify_key))
SECOND = device_id_of(bytes(device(2).verify_key))
LATER_MS = NOW_MS + 1_000
PURPOSES = (MULTI_DEVICE_SYNC, "presence")


def wish(number: int, purpose: str, *, wanted: bool, expires_ms: int | None = None) -> Wish:
    consent_id = bytes([number]) * 16
    return Wish(consent_id, purpose, granted(purpose, expires_ms, consent_id), wanted)


def told(chain: AccountState, *wishes: Wish) -> AccountState:
    """The chain after it was told what is missing; it refuses what breaks a rule."""
    return grown(chain, *missing_bodies(chain, wishes, FIRST, LATER_MS), now_ms=LATER_MS)


def test_a_new_consent_is_told_once() -> None:
    one = wish(1, "presence", wanted=True)
    after = told(new_account(), one)
    assert after.has_consent("presence", LATER_MS)
    assert missing_bodies(after, [one], FIRST, LATER_MS) == []


def test_what_was_withdrawn_before_anybody_heard_of_it_is_not_told() -> None:
    assert missing_bodies(new_account(), [wish(1, "presence", wanted=False)], FIRST, NOW_MS) == []


def test_what_is_over_before_anybody_heard_of_it_is_not_told() -> None:
    over = wish(1, "presence", wanted=True, expires_ms=LATER_MS)
    assert missing_bodies(new_account(), [over], FIRST, LATER_MS) == []


def test_a_new_consent_comes_before_the_one_that_it_replaces() -> None:
    chain = told(new_account(), wish(1, MULTI_DEVICE_SYNC, wanted=True))
    chain = grown(chain, added(chain, 2), now_ms=LATER_MS)
    bodies = missing_bodies(
        chain,
        [wish(1, MULTI_DEVICE_SYNC, wanted=False), wish(2, MULTI_DEVICE_SYNC, wanted=True)],
        FIRST,
        LATER_MS,
    )
    assert [type(one) for one in bodies] == [ConsentGranted, ConsentWithdrawn]
    assert len(grown(chain, *bodies, now_ms=LATER_MS).valid_devices(LATER_MS)) == 2


def test_other_devices_go_with_the_last_consent_to_have_them() -> None:
    chain = told(new_account(), wish(1, MULTI_DEVICE_SYNC, wanted=True))
    chain = grown(chain, added(chain, 2), now_ms=LATER_MS)
    bodies = missing_bodies(chain, [wish(1, MULTI_DEVICE_SYNC, wanted=False)], FIRST, LATER_MS)
    assert bodies == [DeviceRemoved(SECOND, RemovalReason.CONSENT_WITHDRAWN), withdrawn(b"\1" * 16)]
    (left,) = grown(chain, *bodies, now_ms=LATER_MS).live_devices()
    assert left.device_id == FIRST


def test_no_device_goes_with_another_consent() -> None:
    chain = told(
        new_account(),
        wish(1, MULTI_DEVICE_SYNC, wanted=True, expires_ms=LATER_MS + 1),
        wish(2, "presence", wanted=True),
    )
    chain = grown(chain, added(chain, 2), now_ms=LATER_MS)
    expired_ms = LATER_MS + 5
    bodies = missing_bodies(chain, [wish(2, "presence", wanted=False)], FIRST, expired_ms)
    assert bodies == [withdrawn(b"\2" * 16)]


decisions = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(PURPOSES), st.booleans()), max_size=12
)


@given(decisions, st.integers(0, 3))
def test_whatever_was_decided_the_chain_takes_it_and_then_says_the_same(
    made: list[tuple[int, str, bool]], devices: int
) -> None:
    chain, wishes = new_account(), dict[int, Wish]()
    for number, purpose, wanted in made:
        known = wishes.get(number)
        if known is None:
            wishes[number] = wish(number, purpose, wanted=wanted)
        elif not wanted:
            wishes[number] = known._replace(wanted=False)
        chain = told(chain, *wishes.values())
        if chain.has_consent(MULTI_DEVICE_SYNC, LATER_MS):
            for new in range(2, 2 + devices):
                if device_id_of(bytes(device(new).verify_key)) not in chain.devices:
                    chain = grown(chain, added(chain, new), now_ms=LATER_MS)
        assert missing_bodies(chain, list(wishes.values()), FIRST, LATER_MS) == []
        in_force = {one.purpose for one in wishes.values() if one.wanted}
        assert {p for p in PURPOSES if chain.has_consent(p, LATER_MS)} == in_force
        assert FIRST in [one.device_id for one in chain.live_devices()]
        if MULTI_DEVICE_SYNC not in in_force:
            assert len(chain.live_devices()) == 1


@pytest.mark.parametrize(
    ("in_chain", "wanted", "expires_ms", "state"),
    [
        ("no", True, None, ConsentState.GRANTING),
        ("no", False, None, ConsentState.WITHDRAWN),
        ("yes", True, None, ConsentState.GRANTED),
        ("yes", True, LATER_MS, ConsentState.EXPIRED),
        ("yes", True, LATER_MS + 1, ConsentState.GRANTED),
        ("yes", False, None, ConsentState.WITHDRAWING),
        ("withdrawn", True, None, ConsentState.WITHDRAWN),
        ("withdrawn", False, None, ConsentState.WITHDRAWN),
    ],
)
def test_what_holds_for_a_consent(
    in_chain: str, *, wanted: bool, expires_ms: int | None, state: ConsentState
) -> None:
    chain = new_account()
    if in_chain != "no":
        chain = grown(chain, granted("presence", expires_ms))
    if in_chain == "withdrawn":
        chain = grown(chain, withdrawn())
    chained = next(iter(chain.consents.values()), None)
    assert state_of(chained, wanted=wanted, expires_ms=expires_ms, now_ms=LATER_MS) is state
