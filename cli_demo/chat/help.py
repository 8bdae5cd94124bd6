"""The help page of the chat."""

from dataclasses import asdict
from typing import Final

from cli_demo.views import UNICODE, Symbols

_HELP: Final = """\
Enter            send                  Ctrl+J  new line
Ctrl+N           write to somebody     Ctrl+G  make a group
Ctrl+↑ Ctrl+↓    other conversation    Ctrl+L  to the list
PgUp PgDn        through the history; older messages load themselves
Ctrl+O           people: members, roles, add, remove, title, leave
Ctrl+T           safety number: verify the other person
Tab              to the next part of the screen
Ctrl+Q           quit; what waits is sent when you come back

Behind your messages            Before a name
{queued:<3} stored on this device      {verified:<3} verified
{accepted:<3} the relay has it           {warning:<3} the keys changed
{delivered:<3} stored on every device     {bullet:<3} a group
{failed:<3} not sent
"""


def help_text(symbols: Symbols) -> str:
    """The page, with the signs that this terminal shows."""
    text = _HELP.format(**asdict(symbols))
    return text if symbols is UNICODE else text.replace("↑", "Up").replace("↓", "Down")
