"""Sentences for people, broken where a reader expects it if they go to a terminal."""

import re
import shutil
import sys
from collections.abc import Mapping
from typing import Final, TextIO

from cli_demo import jsonlines
from cli_demo.options import Access
from cli_demo.text import wrap

_NARROW: Final = 20
"""Cells of a terminal below which nothing is broken by us."""
_LEAD: Final = re.compile(" *(?:- )?")


def fitted(text: str, cells: int) -> str:
    """A text of lines that are no wider than this; what is set in stays so.

    Args:
        text: Its paragraphs are its lines.
        cells: How wide the lines may be.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lead = len(_LEAD.match(paragraph)[0])  # type: ignore[index] # it matches anything
        first, *rest = wrap(paragraph[lead:], cells - lead, cells - lead)
        lines += [paragraph[:lead] + first, *(" " * lead + one for one in rest)]
    return "\n".join(lines)


def fit(text: str, stream: TextIO) -> str:
    """A text as it fits the terminal that a stream is; as it is where that is none."""
    cells = shutil.get_terminal_size().columns
    if not stream.isatty() or cells < _NARROW:
        return text
    return fitted(text, cells) + " " * (len(text) - len(text.rstrip(" ")))


def say(text: str, *, error: bool = False) -> None:
    """Print a text for people.

    Args:
        text: What to say.
        error: On standard error.
    """
    stream = sys.stderr if error else sys.stdout
    print(fit(text, stream), file=stream, flush=True)


def answer(where: Access, fields: Mapping[str, object], text: str) -> None:
    """Answer as the command line wants it: with a line of JSON, or in words."""
    if where.json:
        print(jsonlines.dump(fields))
    else:
        say(text)
