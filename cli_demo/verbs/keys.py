"""``key`` and ``repair``: what unlocks a database, and what to do when it is damaged."""

import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import anyio
import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.exits import CliError, Exit
from cli_demo.options import Access, local, silent
from cli_demo.passphrase import read_passphrase, read_secret
from cli_demo.running import reported

app = typer.Typer(
    name="key",
    help="What unlocks the database: passphrase, recovery code, the system's keyring.",
    no_args_is_help=True,
)

Key = str | e2ecore.RecoveryCode
NewFd = Annotated[
    int | None,
    typer.Option(
        "--new-passphrase-fd",
        metavar="N",
        help="Read the new passphrase from this open file descriptor instead of asking.",
        show_default=False,
    ),
]
ByCode = Annotated[
    bool,
    typer.Option(
        "--recovery-code",
        help="The passphrase is forgotten: ask for the recovery code instead. "
        "--passphrase-fd then gives the code.",
    ),
]


@app.command("list")
@local
def list_slots(where: Access) -> None:
    """The key slots of the database. Ids change when slots do."""

    async def work(engine: e2ecore.Engine, _key: Key) -> None:
        for slot in await engine.keys.list():
            if where.json:
                print(jsonlines.dump({"type": "slot", "slot": slot.slot_id, "kind": slot.kind}))
            else:
                print(f"{slot.slot_id}  {slot.kind}")

    _with_keys(where, work)


@app.command()
@silent
def passphrase(
    where: Access,
    *,
    recovery_code: ByCode = False,
    new_passphrase_fd: NewFd = None,
) -> None:
    """Change the passphrase. The history stays as it is, so this takes a moment only."""

    async def work(engine: e2ecore.Engine, key: Key) -> None:
        new = _new_passphrase(new_passphrase_fd)
        await engine.keys.change_passphrase(key, new)

    _with_keys(where, work, by_code=recovery_code)


@app.command()
@silent
def recovery(where: Access) -> None:
    """Make a recovery code and print it. Write it down: it is kept nowhere else."""

    async def work(engine: e2ecore.Engine, key: Key) -> None:
        print(await engine.keys.add_recovery_code(key))
        print("Write it down and keep it apart from this machine.", file=sys.stderr)

    _with_keys(where, work)


@app.command()
@silent
def keyring(where: Access) -> None:
    """Have the system's keyring unlock the database, too: with E2E_KEYRING=1 nothing is asked."""

    async def work(engine: e2ecore.Engine, key: Key) -> None:
        await engine.keys.add_keyring(key)

    _with_keys(where, work)


@app.command()
@silent
def remove(
    where: Access,
    slot: Annotated[str, typer.Argument(metavar="SLOT", help="As `e2e key list` prints it.")],
) -> None:
    """Remove a key slot. One besides the keyring always has to stay."""

    async def work(engine: e2ecore.Engine, key: Key) -> None:
        await engine.keys.remove(key, slot)

    _with_keys(where, work)


@app.command()
@silent
def renew(
    where: Access,
    *,
    recovery_code: Annotated[
        bool, typer.Option("--recovery-code", help="Also make a new recovery code, and print it.")
    ] = False,
    new_passphrase_fd: NewFd = None,
) -> None:
    """Encrypt the whole database anew, with a new passphrase: for when a key was seen by others.

    Nothing else opens it then: recovery codes and keyring entries have to be made again. It needs
    as much free space again as the database.
    """
    with reported(debug=where.debug):
        old = read_passphrase(fd=where.passphrase_fd, create=False)
        keep: list[str | e2ecore.RecoveryCode] = [_new_passphrase(new_passphrase_fd)]
        if recovery_code:
            code = e2ecore.new_recovery_code()
            print(code, flush=True)
            keep.append(e2ecore.RecoveryCode(code))

        async def work() -> None:
            await e2ecore.rekey(where.db, passphrase=old, keep=keep)

        anyio.run(work, backend="trio")


@local
def repair(where: Access) -> None:
    """Look for damage in the database; save what can be read. The damaged file is set aside."""

    async def work() -> None:
        report = await e2ecore.repair(where.db, passphrase=phrase)
        if where.json:
            print(jsonlines.dump(_fields(report)))
        elif report is None:
            print("Nothing is damaged.")
        else:
            _say(report)

    with reported(debug=where.debug):
        phrase = read_passphrase(fd=where.passphrase_fd, create=False)
        anyio.run(work, backend="trio")


def _fields(report: e2ecore.SalvageReport | None) -> dict[str, object]:
    if report is None:
        return {"type": "repair", "damaged": False}
    return {
        "type": "repair",
        "damaged": True,
        "messages": report.saved.get("messages", 0),
        "rows": sum(report.saved.values()),
        "gaps": sum(report.gaps.values()),
        "set_aside": str(report.set_aside),
    }


def _say(report: e2ecore.SalvageReport) -> None:
    print(f"Saved {report.saved.get('messages', 0)} messages.")
    for table, rows in report.saved.items():
        lost = report.gaps.get(table, 0)
        if lost:
            print(f"  {table}: {rows} rows saved, {lost} gaps")
    if not report.gaps:
        print("Everything could be read.")
    print(f"The damaged file is {report.set_aside}. Delete it when it is not needed any more.")


def _new_passphrase(fd: int | None) -> str:
    """Ask for a new passphrase, or read it; refuse a weak one with advice.

    Raises:
        CliError: It is easy to guess.
    """
    phrase = read_secret(fd=fd, ask="New passphrase: ", again="Once more: ")
    refuse_weak(phrase)
    return phrase


def refuse_weak(phrase: str) -> None:
    """Refuse what is easy to guess, and say how to do better; advise where it could be better.

    Raises:
        CliError: It is.
    """
    found = e2ecore.passphrase_strength(phrase)
    advice = " ".join(found.advice)
    if not found.is_accepted:
        raise CliError(f"this passphrase is easy to guess. {advice}".strip(), Exit.USAGE)
    if not found.is_good:
        print(f"This passphrase could be better. {advice}", file=sys.stderr)


def _with_keys(
    where: Access,
    work: Callable[[e2ecore.Engine, Key], Awaitable[None]],
    *,
    by_code: bool = False,
) -> None:
    """Open the database without a relay, and do something with its keys."""

    async def opened(key: Key) -> None:
        engine = await (
            e2ecore.open(where.db, passphrase=key, create=False)
            if isinstance(key, str)
            else e2ecore.open(where.db, unlock=key, create=False)
        )
        async with engine:
            await work(engine, key)

    with reported(debug=where.debug):
        if by_code:
            code = read_secret(fd=where.passphrase_fd, ask="Recovery code: ")
            anyio.run(opened, e2ecore.RecoveryCode(code), backend="trio")
        else:
            phrase = read_passphrase(fd=where.passphrase_fd, create=False)
            anyio.run(opened, phrase, backend="trio")
