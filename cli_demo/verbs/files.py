"""``send-file``, ``get`` and ``files``: files of messages."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Annotated, Final, Self

import anyio
import anyio.to_thread
import rich.console
import rich.markup
import rich.progress
import rich.text
import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.exits import CliError, Exit
from cli_demo.file_words import description, on_its_way, whereabouts, why
from cli_demo.options import Access, Target, Which, local, online
from cli_demo.running import at_relay, go_out, reach, with_engine
from cli_demo.targets import find_conversation, find_message
from cli_demo.text import now_ms, one_line, size, visible, wave
from cli_demo.views import symbols_for
from cli_demo.voice import voice_note

_SHOWN: Final = 100
"""Messages with files that are listed unless the user wants more."""
_MOST: Final = 1_000
_NAME_CELLS: Final = 48
"""A longer name is cut in the list: `get` goes by numbers."""
_WAVE_CELLS: Final = 24
_LOOK_S: Final = 0.5
"""How often it is looked whether something is in a file's way."""


class _Far(rich.progress.ProgressColumn):
    """How far it is and how fast, in the words that are used for files everywhere."""

    def __init__(self, before: str) -> None:
        super().__init__()
        self._before = before

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        """What stands behind the bar."""
        if task.total is None:
            return rich.text.Text(self._before)
        said = f"{size(int(task.completed))} of {size(int(task.total))}"
        rate = task.finished_speed or task.speed
        return rich.text.Text(f"{said}  {size(int(rate))}/s" if rate else said)


class Bar:
    """A progress bar with rate and time left, on standard error, if that is a terminal.

    Args:
        what: What is on its way.
        before: What is done before it moves.
    """

    def __init__(self, what: str, before: str = "being read") -> None:
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            _Far(before),
            rich.progress.TimeRemainingColumn(),
            console=rich.console.Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._what = rich.markup.escape(visible(what))
        self._task = self._bar.add_task(self._what, total=None)
        self._said = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """So many bytes of all."""
        self._bar.update(self._task, completed=done, total=total)

    def stuck(self, reason: str) -> None:
        """Say once why nothing moves; where there is no terminal, as a line."""
        if reason == self._said:
            return
        self._said = reason
        if reason:
            self._bar.console.print(f"{self._what}: {rich.markup.escape(reason)}", soft_wrap=True)


@online
def send_file(
    where: Access,
    target: Target,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, help="Up to 32 files: one message."
        ),
    ],
    *,
    text: Annotated[str, typer.Option("--text", help="What to say of them.")] = "",
    keep_metadata: Annotated[
        bool,
        typer.Option("--keep-metadata", help="Leave place, time and camera in pictures."),
    ] = False,
    voice: Annotated[
        bool,
        typer.Option(
            "--voice", help="They are voice notes: length and loudness are read from them."
        ),
    ] = False,
) -> None:
    """Send files, and wait until the relay has them and the message.

    From pictures, places, times and cameras are taken out first. If the relay cannot be reached
    (exit code 4), a copy is stored and goes out with the next command that reaches it.
    """

    async def work(engine: e2ecore.Engine) -> None:
        chat = await reach(engine, lambda: find_conversation(engine, target), where.timeout)
        wanted = [
            await anyio.to_thread.run_sync(voice_note, one)
            if voice
            else e2ecore.OutgoingFile(one, keep_metadata=keep_metadata)
            for one in files
        ]
        name = files[0].name if len(files) == 1 else f"{len(files)} files"
        await carry(
            engine, where, chat, name, lambda bar: chat.send_files(wanted, text, on_progress=bar)
        )

    with_engine(where, work)


async def carry(
    engine: e2ecore.Engine,
    where: Access,
    chat: e2ecore.Conversation,
    name: str,
    begin: Callable[[Bar], Awaitable[e2ecore.Upload]],
) -> None:
    """Send files, show how far they are, and wait until the relay has them and the message."""
    note = "The files are stored and go out as soon as the relay is reached and takes them."
    with Bar(name) as bar:
        upload = await begin(bar)
        await go_out(engine, chat.ready, where.timeout, note)
        sent = await _while_it_moves(upload, bar, where.timeout, note)
    await go_out(engine, sent.accepted, where.timeout, note)
    if where.json:
        print(jsonlines.dump(jsonlines.sent(chat, sent)))


async def _while_it_moves(
    upload: e2ecore.Upload, bar: Bar, timeout_s: float, note: str
) -> e2ecore.SentMessage:
    """Wait for something long, as long as it comes forward; say what is in its way."""
    before, quiet_since = upload.progress, anyio.current_time()
    while True:
        with anyio.move_on_after(_LOOK_S):
            return await upload.sent()
        reason = why(upload.trouble)
        bar.stuck(reason)
        now = upload.progress
        if now != before:
            before, quiet_since = now, anyio.current_time()
        elif anyio.current_time() - quiet_since >= timeout_s:
            because = f": {reason}" if reason else ""
            said = f"nothing has moved for {timeout_s:g} s{because}\n{note}"
            raise CliError(said, Exit.RELAY_UNREACHABLE)


@online
def get(
    where: Access,
    target: Target,
    message: Which,
    *,
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, help="Which of the message's files.")
    ] = 1,
    to: Annotated[
        Path, typer.Option("--to", help="A folder, or a file that is not there yet.")
    ] = Path(),
    ask: Annotated[
        bool, typer.Option("--ask", help="If it has expired: ask its sender for it again.")
    ] = False,
) -> None:
    """Fetch a file of a message, check it, and write it. Interrupted, it goes on where it was."""

    async def work(engine: e2ecore.Engine) -> None:
        chat = await reach(engine, lambda: find_conversation(engine, target), where.timeout)
        one = await find_message(chat, message)
        if len(one.attachments) < number:
            raise CliError("the message has no such file", Exit.USAGE)
        file = one.attachments[number - 1]
        try:
            with Bar(file.name, "asking the relay") as bar:
                path = await file.download(to, on_progress=bar)
        except e2ecore.AttachmentGoneError:
            if ask:
                await file.ask_again()
                print("Its sender was asked for it. Try again later.", file=sys.stderr)
            raise
        if where.json:
            print(jsonlines.dump({"type": "fetched", "path": str(path), "size": file.size}))
        else:
            print(visible(str(path)))

    with_engine(where, work)


@local
def files(
    where: Access,
    target: Target,
    *,
    status: Annotated[
        bool, typer.Option("--status", help="Ask the relay who still needs each of them.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=_MOST, help="How many messages with files.")
    ] = _SHOWN,
) -> None:
    """List the files of a conversation, the newest last, and what is being uploaded."""

    async def work(engine: e2ecore.Engine) -> None:
        chat = await find_conversation(engine, target)
        found = await chat.messages_with_files(limit=limit)
        if len(found) == limit and not where.json:
            older = await chat.messages_with_files(found[0].order, 1)
            if older:
                print(f"(older ones are not shown: --limit {min(10 * limit, _MOST)})")
        for one in found:
            for number, file in enumerate(one.attachments, 1):
                said = await _status(engine, file, where.timeout) if status else None
                if where.json:
                    fields = {"message": one.message_id.hex(), "number": number}
                    print(jsonlines.dump({"type": "file", **jsonlines.attachment(file), **fields}))
                    continue
                print(f"{one.message_id.hex()[-8:]} {number}  {_line(file, said)}")
        for upload in await chat.uploads():
            if status:
                await _tried(upload, where.timeout)
            if where.json:
                print(jsonlines.dump(jsonlines.upload(upload, why(upload.trouble))))
            else:
                print(f"upload {upload.upload_id}  {visible(on_its_way(upload))}")

    with_engine(where, work)


def _line(file: e2ecore.Attachment, said: e2ecore.FileStatus | None) -> str:
    """A file in one line: what it is, where it is, who waits for it and how long."""
    where = whereabouts(file, said, now_ms(), ask="`get --ask`", fetch="`get`")
    what = description(file, lambda name: one_line(name, _NAME_CELLS))
    heard = wave(file.waveform, _WAVE_CELLS, symbols_for(sys.stdout.encoding).levels)
    return f"{what}: {where}{f'  {heard}' if heard else ''}"


async def _tried(upload: e2ecore.Upload, timeout_s: float) -> None:
    """Wait until an upload moves, or something is in its way."""
    with anyio.move_on_after(timeout_s):
        while not (  # noqa: ASYNC110 - nobody sets an event for all of it
            upload.is_settled or upload.is_paused or upload.trouble or upload.progress[0]
        ):
            await anyio.sleep(_LOOK_S)


async def _status(
    engine: e2ecore.Engine, file: e2ecore.Attachment, timeout_s: float
) -> e2ecore.FileStatus | None:
    try:
        return await at_relay(engine, file.status, timeout_s)
    except e2ecore.AttachmentGoneError:
        return None
