"""The codec under threads and after large values."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from e2ecore_protocol import codec
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.errors import MalformedError


def test_threads_that_pack_at_once_do_not_mix_their_values() -> None:
    def work(number: int) -> bool:
        value = tuple((number, bytes([number]) * 50, str(number)) for _ in range(200))
        expected = pack(value)
        return all(pack(value) == expected and unpack(expected, 1 << 20) for _ in range(50))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(16)))


def test_the_buffer_of_a_huge_value_is_not_kept() -> None:
    codec._packers.clear()
    pack((bytes(2 << 20),))
    assert codec._packers == []
    pack((1,))
    assert len(codec._packers) == 1


def test_a_value_that_cannot_be_packed_leaves_nothing_behind() -> None:
    before = pack((1, "a"))
    with pytest.raises(TypeError):
        pack((1, object()))  # type: ignore[arg-type]  # wrong on purpose
    assert pack((1, "a")) == before


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xc0", b"\xa1a", b"\x80"])
def test_what_is_no_array_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        unpack(data, 100)


def test_the_limit_comes_first() -> None:
    with pytest.raises(MalformedError, match="at most 3"):
        unpack(b"\xc1" * 4, 3)
