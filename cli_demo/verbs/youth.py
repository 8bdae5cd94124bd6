"""``youth``: a mode for young people, left by a passcode."""

from typing import Annotated

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.consent_words import words_in
from cli_demo.options import Access, Language, local
from cli_demo.passphrase import read_secret
from cli_demo.running import reported, with_engine
from cli_demo.saying import say

app = typer.Typer(
    name="youth",
    help="Youth mode: being found, followed, profiled and passed on is closed.",
    no_args_is_help=True,
)
_MINUTE_MS = 60_000
Fd = Annotated[
    int | None,
    typer.Option(
        "--passcode-fd",
        metavar="N",
        help="Read the passcode from this open file descriptor instead of asking.",
        show_default=False,
    ),
]


@app.command()
@local
def status(where: Access, *, language: Language = None) -> None:
    """Whether it is on, and when the passcode can be tried. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        now = await engine.youth_mode.status()
        if where.json:
            fields = {
                "since_ms": now.since_ms if now else None,
                "failures": now.failures if now else 0,
                "pause_ms": now.pause_ms if now else 0,
            }
            print(jsonlines.dump({"type": "youth", **fields}))
            return
        words = words_in(language)
        if now is None:
            say(words.youth_off)
            return
        say(words.youth_on)
        if now.failures:
            minutes = -(-now.pause_ms // _MINUTE_MS)
            say(words.youth_tries.format(failures=now.failures, minutes=minutes))

    with_engine(where, work, language=language)


@app.command()
@local
def on(where: Access, *, passcode_fd: Fd = None, language: Language = None) -> None:
    """Turn it on, with a passcode that only the parents know. Needs no relay."""
    with reported(debug=where.debug, language=language):
        words = words_in(language)
        passcode = read_secret(fd=passcode_fd, ask=words.new_passcode, again=words.once_more)

    async def work(engine: e2ecore.Engine) -> None:
        await engine.youth_mode.turn_on(passcode)
        if not where.json:
            say(words.youth_on)

    with_engine(where, work, language=language)


@app.command()
@local
def off(where: Access, *, passcode_fd: Fd = None, language: Language = None) -> None:
    """Leave it by its passcode. What was withdrawn stays withdrawn. Needs no relay."""
    with reported(debug=where.debug, language=language):
        words = words_in(language)
        passcode = read_secret(fd=passcode_fd, ask=words.passcode)

    async def work(engine: e2ecore.Engine) -> None:
        await engine.youth_mode.turn_off(passcode)
        if not where.json:
            say(words.youth_off)

    with_engine(where, work, language=language)
