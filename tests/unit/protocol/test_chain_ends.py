"""When what a chain allows ends by itself."""

from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC
from tests.support.chains import NOW_MS, granted, grown, new_account, withdrawn

ACCOUNT = new_account()


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
