"""``device``: several devices of one account."""

import sys
from typing import Annotated

import anyio.to_thread
import typer

import e2ecore
from cli_demo import jsonlines, qr
from cli_demo.device_words import DeviceWords, device_words
from cli_demo.erasures import say_erasure, settle, show_erasures
from cli_demo.exits import CliError, Exit
from cli_demo.naming import short
from cli_demo.options import Access, Language, OwnDevice, online
from cli_demo.passphrase import read_passphrase
from cli_demo.places import relay_of, remember_relay
from cli_demo.running import at_relay, reported, with_engine
from cli_demo.saying import answer, fit, say
from cli_demo.targets import find_own_device
from cli_demo.text import moment, visible

app = typer.Typer(
    name="device",
    help="The devices of your account. There is one, unless you have agreed to several.",
    no_args_is_help=True,
)


@app.command("list")
@online
def list_devices(where: Access, *, language: Language = None) -> None:
    """Every device that the account has or had, and where it is still to come in or to go."""

    async def work(engine: e2ecore.Engine) -> None:
        words = device_words(language)
        for one in await engine.devices.list():
            print(jsonlines.dump(_fields(one)) if where.json else _line(one, words))
            if one.erasure is not None and not where.json:
                say(f"  {say_erasure(one.device_id, one.erasure, words)}")
        await engine.devices.seen()

    with_engine(where, work, language=language)


@app.command()
@online
def link(where: Access, *, language: Language = None) -> None:
    """Show a code for a new device, compare, and let it in. Needs `e2e consent grant` first."""

    async def work(engine: e2ecore.Engine) -> None:
        words = device_words(language)
        await at_relay(engine, engine.caught_up, where.timeout)
        try:
            async with engine.devices.link() as linking:
                device_id = await _confirmed(linking, where, language)
        except e2ecore.ConsentRequiredError as error:
            raise CliError(words.link_or_move, Exit.REFUSED) from error
        count = await settle(engine, where.timeout)
        if where.json:
            print(jsonlines.dump({"type": "linked", "device": device_id.hex(), "waiting": count}))
        else:
            say(words.linked.format(device=short(device_id)))
            if count:
                say(words.comes_into.format(count=count))

    with_engine(where, work, language=language)


@app.command()
@online
def move(where: Access, *, language: Language = None) -> None:
    """Give the account away to a new device: this one keeps what it has, and can send no more."""

    async def work(engine: e2ecore.Engine) -> None:
        words = device_words(language)
        await at_relay(engine, engine.caught_up, where.timeout)
        if not where.json:
            say(words.move_means)
            if not await _answers_yes(words.ask_move, words):
                raise CliError(words.stays, Exit.REFUSED)
        async with engine.devices.move() as linking:
            device_id = await _confirmed(linking, where, language)
        if where.json:
            print(jsonlines.dump({"type": "moved", "device": device_id.hex()}))
        else:
            say(words.moved.format(device=short(device_id)))

    with_engine(where, work, language=language)


@app.command()
@online
def join(
    where: Access,
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="As the other device shows it.")
    ] = None,
    *,
    language: Language = None,
) -> None:
    """Make an encrypted database here, and bring it to the account of another device of yours."""
    words = device_words(language)

    async def work(engine: e2ecore.Engine) -> None:
        async with engine.devices.join(entered) as joining:
            if where.json:
                print(jsonlines.dump({"type": "check", "check": joining.check_string}), flush=True)
            else:
                say(words.joining.format(who=visible(joining.handle or "?")))
                say(words.confirm_there.format(check=_spaced(joining.check_string)))
            account = await joining.finished()
        remember_relay(where.db, relay_of(where.db, where.relay, where.relay_ca))
        await at_relay(engine, engine.caught_up, where.timeout)
        answer(where, jsonlines.account(account), words.joined)

    with reported(debug=where.debug, language=language):
        entered = code or input(fit(words.ask_code, sys.stdout))
        where.db.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with_engine(where, work, registering=True, language=language)


@app.command()
@online
def remove(
    where: Access,
    device: OwnDevice,
    *,
    language: Language = None,
) -> None:
    """Shut a device out of the account, now and for good; every conversation gets new keys."""

    async def work(engine: e2ecore.Engine) -> None:
        words = device_words(language)
        await at_relay(engine, engine.caught_up, where.timeout)
        found = await find_own_device(engine, device, words.no_such_device)
        await engine.devices.remove(found.device_id)
        count = await settle(engine, where.timeout)
        if where.json:
            shown = {"type": "removed", "device": found.device_id.hex(), "waiting": count}
            print(jsonlines.dump(shown))
        else:
            say(words.removed.format(device=short(found.device_id)))
        await show_erasures(engine, where, {found.device_id}, words)

    with_engine(where, work, language=language)


@app.command()
@online
def confirm(
    where: Access,
    device: OwnDevice,
    *,
    now: Annotated[bool, typer.Option("--now", help="Do not wait until a day has passed.")] = False,
    language: Language = None,
) -> None:
    """Confirm a linked device for the second time: it can change the account then, as this one."""

    async def work(engine: e2ecore.Engine) -> None:
        words = device_words(language)
        await at_relay(engine, engine.caught_up, where.timeout)
        found = await find_own_device(engine, device, words.no_such_device)
        if not where.json:
            named = {"device": short(found.device_id), "day": moment(found.added_ms)}
            say(words.confirm_means.format(**named))
            if not await _answers_yes(words.ask_confirm, words):
                raise CliError(words.not_confirmed, Exit.REFUSED)
        phrase = read_passphrase(fd=where.passphrase_fd, create=False, language=language)
        try:
            await engine.devices.confirm(found.device_id, phrase, override=now)
        except e2ecore.DeviceInQuarantineError as error:
            text = words.too_early.format(day=moment(error.until_ms))
            raise CliError(text, Exit.REFUSED) from error
        if where.json:
            print(jsonlines.dump({"type": "confirmed", "device": found.device_id.hex()}))
        else:
            say(words.confirmed.format(device=short(found.device_id)))

    with_engine(where, work, language=language)


def _show_code(code: e2ecore.LinkCode, where: Access, words: DeviceWords) -> None:
    if where.json:
        print(jsonlines.dump({"type": "link_code", "code": code.digits}), flush=True)
        return
    qr.show(code.qr.encode())
    say(words.code.format(code=code.text.replace(" ", "-")))
    say(words.waiting)


async def _confirmed(
    linking: e2ecore.Linking, where: Access, language: str | None
) -> e2ecore.DeviceId:
    """Show the code, have the person compare, ask for the passphrase."""
    words = device_words(language)
    _show_code(linking.code, where, words)
    request = await linking.joined()
    check = request.check_string
    question = ""
    if where.json:
        shown = {"type": "link_request", "check": check, "moves": request.moves}
        print(jsonlines.dump(shown))
    else:
        say(words.compare.format(check=_spaced(check)))
        question = words.ask_same_and_move if request.moves else words.ask_same
    if not await _answers_yes(question, words):
        await linking.refuse()
        raise CliError(words.refused, Exit.REFUSED)
    phrase = read_passphrase(fd=where.passphrase_fd, create=False, language=language)
    return await linking.confirm(phrase)


async def _answers_yes(question: str, words: DeviceWords) -> bool:
    """Ask; no answer is no."""
    print(fit(question, sys.stdout), end="", flush=True)
    answer = await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    return answer.strip().casefold() in words.yes


def _spaced(check: str) -> str:
    return f"{check[:3]} {check[3:]}"


def _line(one: e2ecore.Device, words: DeviceWords) -> str:
    state = words.in_use if one.counts else words.no_consent
    if one.removed_ms is not None:
        state = words.gone if one.removed_for is None else words.reasons[one.removed_for]
        state = f"{state} {moment(one.removed_ms)}"
    waits = words.to_enter if one.removed_ms is None else words.to_leave
    parts = [
        short(one.device_id),
        words.since.format(day=moment(one.added_ms)),
        state,
        words.this if one.is_this else "",
        words.can_change if one.confirmed_ms is not None and one.removed_ms is None else "",
        waits.format(count=len(one.waiting)) if one.waiting else "",
    ]
    return "  ".join(filter(None, parts))


def _fields(one: e2ecore.Device) -> dict[str, object]:
    return {
        "type": "device",
        "device": one.device_id.hex(),
        "added_ms": one.added_ms,
        "removed_ms": one.removed_ms,
        "removed_for": None if one.removed_for is None else one.removed_for.name.lower(),
        "erased_ms": None if one.erasure is None else one.erasure.deleted_ms,
        "this": one.is_this,
        "counts": one.counts,
        "waiting": [uid.hex() for uid in one.waiting],
        "confirmed_ms": one.confirmed_ms,
        "confirmed_early": one.confirmed_early,
    }
