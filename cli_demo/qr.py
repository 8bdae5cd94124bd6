"""QR codes for terminals: two modules per character cell, always dark on light."""

from typing import Final

from rich.console import Console
from rich.text import Text

from cli_demo.views import UNICODE, symbols_for

_BORDER: Final = 2
"""Quiet zone in modules. The standard says 4; with 2 the code of a safety number fits a terminal
of 24 lines."""
_HALVES: Final = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
"""(upper, lower), 1 = dark module; blocks are drawn in the light colour."""


def matrix(data: bytes) -> list[list[int]]:
    """Rows of modules, 1 is dark, quiet zone included; bytes mode, error correction L or better."""
    import segno  # here: it takes 60 ms to load, and few verbs draw

    code = segno.make(data, mode="byte", error="l", micro=False)
    return [list(row) for row in code.matrix_iter(border=_BORDER)]


def half_blocks(data: bytes) -> list[str]:
    """Lines of half blocks, to be shown in a light colour upon black."""
    rows = matrix(data)
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    return [
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def ascii_blocks(data: bytes) -> list[str]:
    """The same for terminals without block characters: two columns per module, light is ``#``."""
    return ["".join("  " if dark else "##" for dark in row) for row in matrix(data)]


def show(code: bytes) -> None:
    """Print a QR code, as the terminal can."""
    console = Console(highlight=False, soft_wrap=True)
    if symbols_for(console.encoding) is UNICODE:
        style = "white on black" if console.color_system and not console.no_color else ""
        for line in half_blocks(code):
            console.print(Text("  ").append(line, style))
    else:
        for line in ascii_blocks(code):
            print(f"  {line}")
