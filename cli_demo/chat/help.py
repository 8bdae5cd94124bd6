"""The help page of the chat."""

from dataclasses import asdict
from typing import Final

from cli_demo.chat.commands import COMMANDS
from cli_demo.views import UNICODE, Symbols

_CELLS: Final = 26
_KEYS: Final = """\
Enter            send                  Ctrl+J  new line
Ctrl+N           write to somebody     Ctrl+G  make a group
Ctrl+↑ Ctrl+↓    other conversation    Ctrl+L  to the list
Ctrl+F           find messages, here or everywhere
Ctrl+O           people: members, roles, add, remove, title, leave
Ctrl+T           safety number: verify the other person
PgUp PgDn        through the history; older messages load themselves
Tab              completes what is offered; else to the next part
Ctrl+Q           quit; what waits is sent when you come back

With messages: ↑ goes up to them, Enter shows what can be done. Or:
  r reply   a react   e edit   f forward   p pin   i info
  g go to what it answers    c write to a contact
  v vote on a poll    x close it
  t take back    d delete here    Esc back to writing

@name in a text names a member. A line that begins with a slash does
something with the selected message, or the newest that makes sense:
"""
_SIGNS: Final = """
  //  at the beginning sends a slash.

Behind your messages            Before a name
{queued:<3} stored on this device      {verified:<3} verified
{accepted:<3} the relay has it           {warning:<3} the keys changed
{delivered:<3} stored on every device     {bullet:<3} a group
{failed:<3} not sent                   {pinned:<3} pinned
read  by somebody who tells
"""


def help_text(symbols: Symbols) -> str:
    """The page, with the signs that this terminal shows."""
    lines = [f"  {f'/{one.name} {one.takes}':<{_CELLS}}{one.about}\n" for one in COMMANDS.values()]
    text = _KEYS + "".join(lines) + _SIGNS.format(**asdict(symbols))
    return text if symbols is UNICODE else text.replace("↑", "Up").replace("↓", "Down")
