"""The help, and what the command line says of itself, in the language of whoever reads it.

The verbs speak English. For another language all that they say of themselves is put into its words
here, before anything is parsed: paragraphs by tables, and the few words of Typer itself.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

import typer
import typer.core
import typer.main

from cli_demo.consent_words import chosen_language
from cli_demo.error_words import EN
from cli_demo.exits import Exit
from cli_demo.folding import Folded
from cli_demo.help_words import METAVARS, PARAGRAPHS
from cli_demo.talk_words import TALK

CHINESE: Final[Mapping[str, str]] = {**PARAGRAPHS, **TALK}
"""Every paragraph of the help."""
LABELS: Final[Mapping[str, str]] = {
    "ARGUMENTS_PANEL_TITLE": "参数",
    "OPTIONS_PANEL_TITLE": "选项",
    "COMMANDS_PANEL_TITLE": "命令",
    "ERRORS_PANEL_TITLE": "有误",
    "DEFAULT_STRING": "[默认：{}]",
    "ENVVAR_STRING": "[环境变量：{}]",
    "REQUIRED_LONG_STRING": "[必填]",
    "RICH_HELP": "查看帮助：[blue]{command_path} {help_option}[/]",
}
"""What Typer writes around it all, by its own names for it."""
_USAGE: Final = "用法："
Option: TypeAlias = typer.core.TyperOption
HelpOption: TypeAlias = Callable[[typer.Context], Option | None]
_FAULTS: Final = tuple(
    (re.compile(pattern, re.DOTALL), said)
    for pattern, said in (
        (r"Missing (?:argument|option|parameter) '(.+?)'\.(.*)", "缺少“{0}”。"),
        (r"Missing command\.", "请写明要做什么。"),
        (r"No such command '(.+)'\. Did you mean (.+)\?", "没有命令“{0}”。是不是 {1}？"),
        (r"No such command '(.+)'\.", "没有命令“{0}”。"),
        (r"No such option: (\S+) \(Possible options: (.+)\)", "没有选项 {0}。是不是 {1}？"),
        (r"No such option: (\S+)", "没有选项 {0}。"),
        (r"Got unexpected extra argument\(s\) \((.+)\)", "多出了：{0}"),
        (r"Option '(.+)' requires an argument\.", "选项 {0} 后面要写一个值。"),
        (r"Option '(.+)' does not take a value\.", "选项 {0} 后面不能写值。"),
        (r"Invalid value for '?(.+?)'?: (.+)", "“{0}”的值不对：{1}"),
        (r"Invalid value: (.+)", "值不对：{0}"),
        (r"'(.*)' is not one of (.+)\.", "“{0}”不在其中：{1}。"),
        (r".*?'(.+)' does not exist\.", "“{0}”不存在。"),
        (r".*?'(.+)' is a directory\.", "“{0}”是文件夹。"),
        (r"a time is a number and one of s, m, h, d: (.+)", "时长是数字加 s、m、h、d 之一：{0}"),
        (r"a day is written as (.+)", "日期写作 {0}"),
    )
)
"""What can be wrong with a command line: as Typer and the verbs say it, and in Chinese."""


def language_of(arguments: Sequence[str]) -> str:
    """The language of a command line: what it asks for, else the system's.

    Args:
        arguments: As the shell gave them.
    """
    asked = None
    for one, behind in zip(arguments, [*arguments[1:], ""], strict=True):
        name, equals, value = one.partition("=")
        if name == "--language":
            asked = value if equals else behind
    return chosen_language(asked)


def run(app: typer.Typer, language: str, arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line; return the exit code.

    Args:
        app: The verbs, which speak English of themselves.
        language: In which the help and what is wrong with the command line are said.
        arguments: The command line; None: that of this process.
    """
    command = commands(app, language)
    try:
        code = command.main(arguments, prog_name="e2e", standalone_mode=False)
    except typer.TyperException as error:
        _show_fault(error, language)
        return error.exit_code
    except typer.Abort:
        return Exit.INTERRUPTED
    return code if isinstance(code, int) else Exit.OK


def commands(app: typer.Typer, language: str) -> typer.core.TyperGroup:
    """The verbs of an app, with all that they say of themselves in a language."""
    command = typer.main.get_group(app)
    for one in _all(command):
        # Typer has no door for words of ours: what it says by itself is caught on its way out.
        plain = one.get_help_option
        one.get_help_option = partial(_help, plain, language)  # type: ignore[method-assign]
        for parameter in one.params:
            if isinstance(parameter, typer.core.TyperArgument | typer.core.TyperOption):
                _tidy(parameter)
        if language != EN:
            _translate(one)
    return command


def said_in_chinese(text: str | None) -> str | None:
    """Some paragraphs; what the tables do not know stays as it is."""
    if text is None:
        return None
    return "\n\n".join(CHINESE.get(" ".join(one.split()), one) for one in text.split("\n\n"))


def fault(text: str) -> str:
    """What is wrong with a command line; what the table does not know stays as it is."""
    for pattern, said in _FAULTS:
        if match := pattern.fullmatch(text):
            return said.format(*map(fault, match.groups()))
    return text


def _all(command: object) -> Iterator[typer.core.TyperGroup | typer.core.TyperCommand]:
    if isinstance(command, typer.core.TyperGroup):
        for child in command.commands.values():
            yield from _all(child)
    if isinstance(command, typer.core.TyperGroup | typer.core.TyperCommand):
        yield command


def _tidy(one: typer.core.TyperArgument | typer.core.TyperOption) -> None:
    """Name what stands for a value as people would, instead of by the type that it has here."""
    kind = one.type_descriptor
    if isinstance(one, typer.core.TyperArgument):
        one.metavar = one.metavar or one.name.upper()
        one.display_type_rich = lambda **_: None  # type: ignore[method-assign] # its name is enough
    elif one.is_flag:
        one.metavar = ""
    elif one.metavar is None and not kind.is_choice:
        one.metavar = "N" if kind.annotation is int else "PATH" if kind.is_path else "TEXT"


def _translate(command: typer.core.TyperGroup | typer.core.TyperCommand) -> None:
    command.help = said_in_chinese(command.help)
    command.epilog = said_in_chinese(command.epilog)
    command.rich_help_panel = said_in_chinese(command.rich_help_panel or None)
    command.options_metavar = _value(command.options_metavar)
    command.get_usage = partial(_usage, command.get_usage)  # type: ignore[method-assign]
    for one in command.params:
        if isinstance(one, typer.core.TyperArgument | typer.core.TyperOption):
            one.help = said_in_chinese(one.help)
            one.metavar = _value(one.metavar)
    if isinstance(command, typer.core.TyperGroup):
        command.subcommand_metavar = _value(command.subcommand_metavar) or ""


def _value(metavar: str | None) -> str | None:
    return None if metavar is None else METAVARS.get(metavar, metavar)


def _usage(plain: Callable[[typer.Context], str], context: typer.Context) -> str:
    _label()  # the usage comes first, of help as of faults
    return plain(context).replace("Usage: ", _USAGE, 1)


def _help(plain: HelpOption, language: str, context: typer.Context) -> Option | None:
    found = plain(context)
    if found is not None:
        _tidy(found)
        found.help = said_in_chinese(found.help) if language != EN else found.help
    return found


def _label() -> None:
    from typer import rich_utils  # here: it takes long to load, and most verbs show no help

    for name, text in LABELS.items():
        setattr(rich_utils, name, text)
    rich_utils.Markdown = Folded  # type: ignore[assignment,attr-defined] # draws it uncut


def _show_fault(error: typer.TyperException, language: str) -> None:
    from typer import rich_utils

    said = error.format_message().replace("Value error, ", "")
    if language != EN:
        _label()
        said = fault(said)
    error.format_message = lambda: said  # type: ignore[method-assign] # it has words of its own
    rich_utils.rich_format_error(error)  # type: ignore[arg-type] # what parsing raises is one
