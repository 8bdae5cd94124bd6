"""``export``, ``import``: one's data, taken along and brought in."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.options import Access, local
from cli_demo.running import with_engine
from cli_demo.targets import find_conversation
from cli_demo.text import counted, visible

_PERCENT: Final = 100


@local
def export(
    where: Access,
    file: Annotated[Path, typer.Argument(help="The file to make; it must not be there yet.")],
    *,
    within: Annotated[
        str | None,
        typer.Option("--in", metavar="HANDLE|+TITLE|ID", help="Only this conversation."),
    ] = None,
) -> None:
    """Write all messages into one file, to read or to import elsewhere. Needs no relay.

    The file is NOT encrypted: whoever has it reads it. Only you may read it on this machine.
    """

    async def work(engine: e2ecore.Engine) -> None:
        chosen = None if within is None else [await find_conversation(engine, within)]
        report = await engine.my_data.export(file, conversations=chosen, on_progress=_show)
        _end()
        if where.json:
            fields = {"type": "exported", "messages": report.messages, "files": report.files}
            print(jsonlines.dump({**fields, "files_missing": report.files_missing}))
            return
        where_from = counted(report.conversations, "conversation")
        print(f"{counted(report.messages, 'message')} of {where_from} in {file}")
        if report.files or report.files_missing:
            print(f"{counted(report.files, 'file')}; {report.files_missing} not on this device")
        print("The file is not encrypted. Keep it safe, and delete it when you are done.")

    with_engine(where, work)


@local
def import_(
    where: Access,
    file: Annotated[
        Path, typer.Argument(help="An export of e2e, WhatsApp, Telegram or Signal, or a table.")
    ],
    *,
    file_format: Annotated[
        e2ecore.ImportFormat | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="What it is: e2ecore, whatsapp, telegram, signal or csv. Default: look.",
        ),
    ] = None,
    me: Annotated[str, typer.Option("--me", help="What the file calls you.")] = "",
    title: Annotated[str, typer.Option("--title", help="What to call the conversation.")] = "",
) -> None:
    """Bring in messages from a file, as read-only conversations. Needs no relay.

    The same file may be imported again: what is here already is left alone.
    """

    async def work(engine: e2ecore.Engine) -> None:
        report = await engine.my_data.import_file(
            file, format=file_format, me=me, title=title, on_progress=_show
        )
        _end()
        if where.json:
            fields = {
                "type": "imported",
                "format": report.format.value,
                "conversations": [one.hex() for one in report.conversations],
                "messages": report.messages,
                "known": report.known,
                "skipped": report.skipped,
                "files": report.files,
                "files_missing": report.files_missing,
                "blocked": report.blocked,
                "consents": report.consents,
            }
            print(jsonlines.dump(fields))
            return
        print(f"{counted(report.messages, 'new message')}, {report.known} were here already")
        if report.files or report.files_missing:
            print(f"{counted(report.files, 'file')}; {report.files_missing} only named")
        if report.blocked:
            print(f"{counted(report.blocked, 'account')} blocked, as when you exported")
        if report.consents:
            print(
                f"{counted(report.consents, 'consent')} to look at, not in force: "
                "e2e consent imported"
            )
        for one in report.conversations:
            conversation = await engine.conversations.get(one)
            print(f"{one.hex()}  {visible(conversation.title)}")

    with_engine(where, work)


def _show(progress: e2ecore.TransferProgress) -> None:
    if sys.stderr.isatty():
        share = int(progress.share * _PERCENT)
        print(f"\r{share:3} %  {progress.messages} messages", end="", file=sys.stderr, flush=True)


def _end() -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)
