import pytest

from benchmarks.floors.private_message import PrivateMessageFloor


@pytest.mark.parametrize("size", [0, 1, 63, 64, 200, 20_000])
def test_floor_opens_what_it_protects(size: int) -> None:
    floor = PrivateMessageFloor()
    for _ in range(3):
        assert floor.unprotect(floor.protect(bytes(size), b"authenticated")) == bytes(size)


def test_floor_refuses_a_changed_message() -> None:
    floor = PrivateMessageFloor()
    message = bytearray(floor.protect(b"hello", b""))
    message[-1] ^= 1
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the primitive raises
        floor.unprotect(bytes(message))
