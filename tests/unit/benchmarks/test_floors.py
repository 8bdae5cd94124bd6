import pytest

from benchmarks.floors.commits import Added, CommitFloor
from benchmarks.floors.primitives import KEMS
from benchmarks.floors.private_message import PrivateMessageFloor
from benchmarks.floors.signatures import SignatureFloor


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


@pytest.mark.parametrize("suite", [0x0001, 0xF001], ids=hex)
def test_floor_of_a_commit_seals_what_its_receiver_opens(suite: int) -> None:
    floor = CommitFloor(suite, 4)
    floor.process(floor.create())
    added = Added(KEMS[suite].derive(bytes(32))[1], bytes(1000))
    floor.process(floor.create(added), added=True)


def test_floor_of_a_join_verifies_on_any_number_of_threads() -> None:
    for threads in (1, 3):
        SignatureFloor(7, threads).verify()
