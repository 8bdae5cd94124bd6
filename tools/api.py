"""Writes ``docs/api.md`` from the public names of the packages that apps import.

What is not in a docstring cannot be in the document, so a name without one fails the test.
Run ``python -m tools.api`` after changing a public name.
"""

import dataclasses
import enum
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

ROOT: Final = Path(__file__).parents[1]
DOCUMENT: Final = ROOT / "docs/api.md"
HIDDEN_BASES: Final = frozenset(
    f"e2ecore.engine.talk.{name}"
    for name in ("arranging", "keeping", "pinning", "polling", "sharing", "talking")
)
"""Modules of bases that have no entry of their own: their members are those of the public class."""
_NOTE: Final = re.compile(
    r"^    (\w+)(?:: [^\n]+)?(?: = [^\n]+)?\n    \"\"\"(.+?)\"\"\"", re.MULTILINE | re.DOTALL
)
MODULES: Final = ("e2ecore", "e2ecore.blocking", "e2ecore.testing")
_HEAD: Final = """# Public API

Made by `python -m tools.api` from the docstrings. What is listed here is kept stable within a
major version; everything else may change. Calls are async where they wait for something, and run on
trio and on asyncio. Every error that the engine raises on purpose is an `E2EError`; its class says
whose fault it is, its text what to do.
"""


def summary(thing: object) -> str:
    """Return the first paragraph of a docstring as one line.

    Raises:
        LookupError: There is none.
    """
    text = inspect.getdoc(thing)
    if not text:
        raise LookupError(f"{thing!r} has no docstring")
    return " ".join(text.split("\n\n")[0].split())


def signature(function: object) -> str:
    """Return the parameters and result of a callable, short enough to read."""
    assert callable(function)  # noqa: S101 - callers pass functions only
    text = str(inspect.signature(function))
    text = re.sub(r"\(self(, )?", "(", text, count=1)
    text = re.sub(r"(?:[a-z_0-9]+\.)+([A-Z])", r"\1", text)
    text = re.sub(r"<(?:built-in )?function (\w+)[^>]*>", r"\1", text)
    return text.replace("'", "").replace("~", "")


def attributes(cls: type) -> dict[str, str]:
    """Return the comments-as-strings below the attributes of a class, by attribute name."""
    source = inspect.getsource(cls)
    return {name: " ".join(text.split()) for name, text in _NOTE.findall(source)}


def members(cls: type) -> Iterator[str]:
    """Yield one line for each public member of a class."""
    notes = attributes(cls)
    if issubclass(cls, enum.Enum):
        for value in cls:
            yield f"- `{value.name}`: {notes.get(value.name, '')}".rstrip(": ")
        return
    if dataclasses.is_dataclass(cls):
        for field in dataclasses.fields(cls):
            note = notes.get(field.name)
            yield f"- `{field.name}`" + (f": {note}" if note else "")
    hidden = [one for one in cls.__mro__[1:] if one.__module__ in HIDDEN_BASES]
    for name, value in [item for one in (cls, *hidden) for item in vars(one).items()]:
        if name.startswith("_"):
            continue
        plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if isinstance(plain, property):
            yield f"- `{name}`: {summary(plain)}"
        elif inspect.isfunction(plain):
            yield f"- `{name}{signature(plain)}`: {summary(plain)}"


def section(module: ModuleType) -> Iterator[str]:
    """Yield the lines about one module."""
    yield f"## {module.__name__}"
    yield ""
    yield summary(module)
    for name in sorted(module.__all__, key=str.lower):
        thing = getattr(module, name)
        yield ""
        if inspect.isclass(thing):
            yield f"### `{name}`"
            yield ""
            yield summary(thing)
            lines = list(members(thing))
            if lines:
                yield ""
                yield from lines
        elif isinstance(thing, ModuleType):
            yield f"### `{name}`"
            yield ""
            yield summary(thing)
        elif inspect.isroutine(thing):
            yield f"### `{name}`"
            yield ""
            yield f"`{name}{signature(thing)}`"
            yield ""
            yield summary(thing)
        else:
            yield f"### `{name}`"


def document() -> str:
    """Return the whole document."""
    lines = [_HEAD]
    for name in MODULES:
        lines += [*section(importlib.import_module(name)), ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the document; return 0."""
    DOCUMENT.write_text(document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
