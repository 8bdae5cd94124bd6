"""Run one verb: open the database, do the work, turn a failure into words and an exit code."""

import contextlib
import os
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final, TypeVar

import anyio
import typer

import e2ecore
from cli_demo.device_news import tell_news
from cli_demo.error_words import EN, explain_in
from cli_demo.exits import (
    CliError,
    Exit,
    NoAccountError,
    RelayTimeoutError,
    code_for,
    explain,
    first_error,
)
from cli_demo.options import Access
from cli_demo.passphrase import read_passphrase
from cli_demo.places import relay_of
from cli_demo.saying import say

T = TypeVar("T")
Work = Callable[[e2ecore.Engine], Awaitable[None]]

KEYRING_VARIABLE: Final = "E2E_KEYRING"
"""If it is set, the system's keyring opens the database, and no passphrase is asked for."""


@contextlib.contextmanager
def reported(*, debug: bool, language: str | None = EN) -> Iterator[None]:
    """Turn every error into one or two lines on standard error and the exit code."""
    try:
        yield
    except (typer.Exit, SystemExit, GeneratorExit):
        raise
    except BrokenPipeError:
        # The reader of our output left, as `head` does. Nothing is wrong, nothing can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(Exit.FAILURE) from None
    except BaseException as raised:  # noqa: BLE001 (whatever it is, the user gets words)
        error = first_error(raised)
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(Exit.FAILURE) from None
        if debug:
            traceback.print_exception(raised)
        elif code_for(error) is Exit.INTERRUPTED:
            print("interrupted", file=sys.stderr)
        else:
            say(f"e2e: {explain_in(language, error)}", error=True)
        raise typer.Exit(code_for(error)) from None


def with_engine(
    access: Access,
    work: Work,
    *,
    registering: bool = False,
    phrase: str | None = None,
    language: str | None = EN,
) -> None:
    """Open the database of this command, do the work, close; on trio.

    Args:
        access: Which database, and how.
        work: What to do with it.
        registering: Make the database if there is none; it needs no account yet.
        phrase: The passphrase, if it was asked for already.
        language: In which errors are told; None: the system's.
    """

    async def opened(phrase: str | None) -> None:
        async with open_engine(access, phrase, create=registering) as engine:
            try:
                if not registering:
                    need_account(engine)
                    await tell_news(engine, None if language == EN else language)
                await work(engine)
            except Exception:
                engine.my_data.inventory()  # says so if the device was erased meanwhile
                raise

    with reported(debug=access.debug, language=language):
        new = registering and not access.db.exists()
        if phrase is None and os.environ.get(KEYRING_VARIABLE) and not new:
            anyio.run(opened, None, backend="trio")
            return
        key = phrase or read_passphrase(fd=access.passphrase_fd, create=new, language=language)
        anyio.run(opened, key, backend="trio")


def need_account(engine: e2ecore.Engine) -> e2ecore.Account:
    """Return the account, or refuse to go on without one.

    Raises:
        CliError: The database has none.
    """
    if engine.account is None:
        raise NoAccountError("this database has no account yet: `e2e register HANDLE`")
    return engine.account


@contextlib.asynccontextmanager
async def open_engine(
    access: Access, phrase: str | None, *, create: bool = False
) -> AsyncIterator[e2ecore.Engine]:
    """The engine of this command's database; without a passphrase the keyring opens it."""
    place = relay_of(access.db, access.relay, access.relay_ca)
    unlock = e2ecore.OsKeyring() if phrase is None else None
    opened = await e2ecore.open(
        access.db,
        passphrase=phrase,
        unlock=unlock,
        relay=place.url,
        relay_ca=place.ca,
        create=create,
    )
    async with opened as engine:
        yield engine


_CONNECTED: Final = frozenset({e2ecore.ConnectionState.CATCHING_UP, e2ecore.ConnectionState.ONLINE})


async def reach(engine: e2ecore.Engine, find: Callable[[], Awaitable[T]], timeout_s: float) -> T:
    """Catch up with the relay, then look for something; without the relay, look among what is here.

    Raises:
        RelayTimeoutError: Nothing was found here, and the relay was not reached.
    """

    async def up_to_date() -> T:
        await engine.caught_up()
        return await find()

    try:
        return await at_relay(engine, up_to_date, timeout_s)
    except (e2ecore.TransientError, RelayTimeoutError) as error:
        try:
            return await find()
        except e2ecore.TransientError:
            raise error from None


async def at_relay(engine: e2ecore.Engine, work: Callable[[], Awaitable[T]], timeout_s: float) -> T:
    """Do something that needs the relay's answer; give up as soon as the relay is not reached.

    Raises:
        AccountMovedError: It does not serve this device any more.
        RelayTimeoutError: It was not reached, or took longer than ``timeout_s`` to answer.
    """
    if engine.account is not None and await engine.devices.moved_to() is not None:
        raise e2ecore.AccountMovedError
    reader = engine.events()
    connected = anyio.Event()
    results: list[T] = []

    async def watch() -> None:
        _note_connection(engine.connection, None, connected)
        async for event in reader:
            if isinstance(event, e2ecore.ConnectionChanged):
                _note_connection(event.state, event.error, connected)
            elif isinstance(event, e2ecore.ThisDeviceRemoved):
                raise e2ecore.DeviceErasedError

    try:
        with anyio.fail_after(timeout_s):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch)
                if engine.account is not None:
                    await connected.wait()
                results.append(await work())
                tasks.cancel_scope.cancel()
    except TimeoutError:
        raise RelayTimeoutError(f"the relay did not answer within {timeout_s:g} s") from None
    except BaseExceptionGroup as group:
        raise first_error(group) from None
    finally:
        reader.close()
    return results[0]


async def go_out(
    engine: e2ecore.Engine, wait: Callable[[], Awaitable[T]], timeout_s: float, note: str
) -> T:
    """Wait for the relay's answer to something that is stored; ``note`` says so if none comes.

    Raises:
        CliError: None came in time.
    """
    try:
        return await at_relay(engine, wait, timeout_s)
    except (e2ecore.TransientError, RelayTimeoutError) as error:
        raise CliError(f"{explain(error)}\n{note}", Exit.RELAY_UNREACHABLE) from None


def _note_connection(
    state: e2ecore.ConnectionState, error: e2ecore.E2EError | None, connected: anyio.Event
) -> None:
    if state in _CONNECTED:
        connected.set()
    elif state is e2ecore.ConnectionState.WAITING:
        raise error or RelayTimeoutError("the relay cannot be reached; it is tried again later")
