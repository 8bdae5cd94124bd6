"""The code on the screen is the code that was meant."""

import pytest

from cli_demo import qr

SAFETY = b"e2ecore-sn1" + bytes(range(64))


def test_half_blocks_draw_exactly_the_modules() -> None:
    rows = qr.matrix(SAFETY)
    drawn = qr.half_blocks(SAFETY)
    assert len(drawn) == (len(rows) + 1) // 2
    for y, line in enumerate(drawn):
        for x, cell in enumerate(line):
            assert (cell in "▄ ") == bool(rows[2 * y][x])
            if 2 * y + 1 < len(rows):
                assert (cell in "▀ ") == bool(rows[2 * y + 1][x])


def test_ascii_blocks_draw_exactly_the_modules() -> None:
    rows = qr.matrix(SAFETY)
    for row, line in zip(rows, qr.ascii_blocks(SAFETY), strict=True):
        assert [line[2 * x] == " " for x in range(len(row))] == [bool(one) for one in row]


def test_the_code_of_a_safety_number_fits_a_terminal_of_80_by_24() -> None:
    drawn = qr.half_blocks(SAFETY)
    assert len(drawn) <= 20
    assert len(drawn[0]) <= 42


@pytest.mark.parametrize("size", [1, 32, 75, 200])
def test_every_code_has_a_light_border(size: int) -> None:
    rows = qr.matrix(bytes(size))
    assert not any(rows[0])
    assert not any(row[0] or row[-1] for row in rows)
