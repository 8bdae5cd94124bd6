"""Which devices of a chain took the account over, and which were linked."""

from e2ecore_protocol.chain.bodies import DeviceRemoved, RemovalReason
from e2ecore_protocol.chain.entry import device_id_of
from tests.support.chains import added, device, granted, grown, new_account

ACCOUNT = new_account()
FIRST_DEVICE = device_id_of(bytes(device(1).verify_key))


def test_a_device_came_alone_if_no_other_was_live_whatever_the_clocks_say() -> None:
    """All entries have one time here, as with a clock that is behind."""
    second, third = (device_id_of(bytes(device(number).verify_key)) for number in (2, 3))
    moved = grown(ACCOUNT, DeviceRemoved(FIRST_DEVICE, RemovalReason.MOVED))
    moved = grown(moved, added(moved, 2), granted())
    linked = grown(moved, added(moved, 3))
    alone = grown(linked, DeviceRemoved(second))
    for state in (linked, alone):
        assert state.came_alone(FIRST_DEVICE)
        assert state.came_alone(second)
        assert not state.came_alone(third)
    assert len({one.added_ms for one in alone.devices.values()}) == 1
