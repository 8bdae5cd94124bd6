"""The help reads well, and docs/cli.md knows every command and option."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from cli_demo import helping, jsonlines
from cli_demo.__main__ import app
from cli_demo.exits import Exit

DOCUMENT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
SECTIONS = {
    match[1]: match[2]
    for match in re.finditer(
        r"^### `e2e ([a-z-]+(?: [a-z-]+)?)\b[^`]*`\n(.*?)(?=^##|\Z)",
        DOCUMENT,
        re.MULTILINE | re.DOTALL,
    )
}
SHARED = DOCUMENT.partition("## Options that most commands share")[2].partition("\n## ")[0]
_PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}


def commands(command: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every visible command with its words."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path.strip(), command
        return
    for name, child in children.items():
        if not child.hidden:
            yield from commands(child, f"{path} {name}")


COMMANDS = dict(commands(typer.main.get_command(app)))
SHOWN = helping.commands(app, "en")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    section = SECTIONS[name]
    for parameter in COMMANDS[name].params:  # type: ignore[attr-defined] # Typer hides its base
        for option in parameter.opts:
            if option.startswith("-"):
                assert option in section or option in SHARED, option


def test_nothing_is_documented_that_does_not_exist() -> None:
    assert set(SECTIONS) == set(COMMANDS)
    known = {
        option
        for command in COMMANDS.values()
        for parameter in command.params  # type: ignore[attr-defined] # Typer hides its base
        for option in parameter.opts
    } | {"--help", "-h"}
    assert set(re.findall(r"`(--[a-z-]+)", DOCUMENT)) <= known


@pytest.mark.parametrize("code", list(Exit))
def test_every_exit_code_is_documented(code: Exit) -> None:
    assert f"| {code.value} |" in DOCUMENT


@pytest.mark.parametrize("name", ["", "group", *COMMANDS])
def test_help_fits_eighty_columns_and_has_no_markup_left(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, value in _PLAIN.items():
        monkeypatch.setenv(variable, value)
    SHOWN.main([*name.split(), "--help"], prog_name="e2e", standalone_mode=False)
    output = capsys.readouterr().out
    assert all(len(line) <= 80 for line in output.splitlines())
    assert "Args:" not in output
    assert "[/" not in output
    assert not re.search(r"<(bool|str|int|list|Path)|\[\[|\.\.\.}", output)


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"], env=_PLAIN).output
    assert {name.split()[0] for name in COMMANDS} <= set(shown.split())


def test_the_hidden_command_stays_hidden() -> None:
    assert "demo-device" not in CliRunner().invoke(app, ["--help"], env=_PLAIN).output


@pytest.mark.parametrize(
    "words", [["nonsense"], ["send"], ["send", "bob", "x", "--nonsense"], ["tail", "-n", "x"]]
)
def test_a_wrong_command_line_is_a_usage_error(words: list[str]) -> None:
    assert CliRunner().invoke(app, words, env=_PLAIN).exit_code == Exit.USAGE


@pytest.mark.parametrize(
    "name",
    [
        *("account", "contact", "conversation", "message", "sent", "group", "member", "changed"),
        *("earlier", "deleted", "receipts", "poll", "draft", "arranged", "keep_earlier"),
    ],
)
def test_every_json_line_is_documented(name: str) -> None:
    assert f"| `{name}` |" in DOCUMENT


def test_json_keeps_text_readable() -> None:
    assert jsonlines.dump({"text": "日本"}) == '{"text":"日本"}'
