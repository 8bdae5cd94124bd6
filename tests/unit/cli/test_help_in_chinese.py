"""The help and the faults of a command line in Chinese: all of them, and as wide as a terminal."""

import re
from collections.abc import Iterator

import pytest
import typer.core
from rich.cells import cell_len
from typer import rich_utils

from cli_demo import helping
from cli_demo.__main__ import app
from cli_demo.exits import Exit
from cli_demo.help_words import METAVARS

Verb = typer.core.TyperGroup | typer.core.TyperCommand
CHINESE = re.compile("[\u4e00-\u9fff]")
SIGNS = re.compile(r"N|on\|off|on\|off\|usual|en\|zh-CN")
"""What stands for a value in every language."""


def verbs(command: object, path: str = "") -> Iterator[tuple[str, Verb]]:
    """Every visible verb and group with its words."""
    assert isinstance(command, Verb)
    yield path.strip(), command
    if isinstance(command, typer.core.TyperGroup):
        for name, child in command.commands.items():
            if not child.hidden:
                yield from verbs(child, f"{path} {name}")


def paragraphs(command: Verb) -> Iterator[str]:
    """All that a verb says of itself."""
    of_options = (getattr(one, "help", None) for one in command.params)
    texts = (command.help, command.epilog, command.rich_help_panel, *of_options)
    for text in texts:
        yield from (" ".join(one.split()) for one in (text or "").split("\n\n") if one.strip())


SPOKEN = helping.commands(app, "zh-CN")
ENGLISH = dict(verbs(helping.commands(app, "en")))


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare terminal of 80 columns; the words of Typer come back afterwards."""
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    for name in (*helping.LABELS, "Markdown"):
        monkeypatch.setattr(rich_utils, name, getattr(rich_utils, name))


@pytest.mark.parametrize("name", ENGLISH)
def test_every_verb_and_option_has_a_chinese_text(name: str) -> None:
    for one in paragraphs(ENGLISH[name]):
        assert one in helping.CHINESE, one
    for parameter in ENGLISH[name].params:
        metavar = getattr(parameter, "metavar", None)
        assert not metavar or SIGNS.fullmatch(metavar) or metavar in METAVARS, metavar


def test_no_text_is_left_over_and_all_of_them_are_chinese() -> None:
    said = {one for command in ENGLISH.values() for one in paragraphs(command)}
    assert set(helping.CHINESE) - said == {"Show this message and exit."}
    for english, chinese in (*helping.CHINESE.items(), *METAVARS.items()):
        assert CHINESE.search(chinese), english
        assert re.findall("`e2e [a-z- ]+", english) == re.findall("`e2e [a-z- ]+", chinese), english


def in_chinese(*words: str) -> int:
    """The exit code of a command line."""
    return helping.run(app, "zh-CN", words)


@pytest.mark.parametrize("name", ENGLISH)
def test_help_in_chinese_fits_eighty_columns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    SPOKEN.main([*name.split(), "--help"], prog_name="e2e", standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert all(cell_len(line) <= 80 for line in lines), lines
    assert lines[1].startswith(f" 用法：e2e {name}".rstrip())
    frames = {cell_len(line) for line in lines if line.startswith(("╭", "│", "╰"))}
    assert len(frames) <= 1, lines
    text = "".join(lines)
    assert "…" not in text
    assert not re.search(r"Usage|Options|Arguments|Commands|\[OPTIONS\]|default|required", text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("consent grant", "缺少“用途”。"),
        ("consent grant nonsense", "“用途”的值不对：“nonsense”不在其中："),
        ("device remove", "缺少“设备”。"),
        ("device remove a b", "多出了：b"),
        ("device remov", "没有命令“remov”。是不是 'remove', 'move'？"),
        ("zzzzz", "没有命令“zzzzz”。"),
        ("consent grant profiling --lang x", "没有选项 --lang。是不是"),
        ("guardian requests --no", "没有选项 --no。"),
        ("guardian mark tomorrow", "“日期”的值不对：日期写作 2026-11-23"),
        ("consent grant profiling --for ever", "的值不对：时长是数字加 s、m、h、d 之一"),
        ("send-file bob none.txt", "“none.txt”不存在。"),
    ],
)
def test_what_is_wrong_with_a_command_line_is_said_in_chinese(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_chinese(*words.split()) == Exit.USAGE
    shown = capsys.readouterr().err
    assert said in "".join(line.strip(" │") for line in shown.splitlines()), shown
    assert "查看帮助：" in shown


def test_a_fault_that_belongs_to_no_verb_is_said_as_well(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert in_chinese("consent", "list", "--language") == Exit.USAGE
    assert "选项 --language 后面要写一个值。" in capsys.readouterr().err


def test_a_verb_that_takes_more_says_what_it_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_chinese("device") == Exit.USAGE
    assert "命令" in capsys.readouterr().out


def test_a_fault_that_nobody_foresaw_stays_as_it_is() -> None:
    assert helping.fault("something else") == "something else"


@pytest.mark.parametrize(
    ("words", "system", "language"),
    [
        ("device --help", "zh_CN.UTF-8", "zh-CN"),
        ("device --help", "en_US.UTF-8", "en"),
        ("device list --language zh-CN --help", "en_US.UTF-8", "zh-CN"),
        ("device list --help --language=en", "zh_CN.UTF-8", "en"),
        ("device list --language", "zh_CN.UTF-8", "zh-CN"),
    ],
)
def test_the_language_is_the_one_asked_for_else_that_of_the_system(
    words: str, system: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LANG", system)
    assert helping.language_of(words.split()) == language
