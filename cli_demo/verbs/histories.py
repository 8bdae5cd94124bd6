"""``device give``, ``device transfers``, ``device stop``: history for another device."""

from typing import Annotated, Final

import anyio
import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.device_words import device_words
from cli_demo.exits import CliError, Exit
from cli_demo.history_words import HistoryWords, history_words
from cli_demo.naming import Names, short
from cli_demo.options import Access, Language, OwnDevice, local, online
from cli_demo.running import at_relay, with_engine
from cli_demo.saying import say
from cli_demo.targets import find_conversation, find_own_device
from cli_demo.text import moment, now_ms

_DAY_MS: Final = 86_400_000


@online
def give(
    where: Access,
    device: OwnDevice,
    *,
    days: Annotated[
        int, typer.Option("--days", min=0, help="Only the last so many days; 0: everything.")
    ] = 0,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="CHAT", help="Only this one; may be given several times."),
    ] = None,
    language: Language = None,
) -> None:
    """Give messages of this device to another one of yours.

    Needs `e2e consent grant history_transfer` first; nothing else begins it.
    """

    async def work(engine: e2ecore.Engine) -> None:
        words = history_words(language)
        await at_relay(engine, engine.caught_up, where.timeout)
        device_id = (
            await find_own_device(engine, device, device_words(language).no_such_device)
        ).device_id
        chats = [(await find_conversation(engine, one)).conversation_id for one in only or ()]
        since_ms = now_ms() - days * _DAY_MS if days else 0
        begun = await engine.devices.give_history(
            device_id, since_ms=since_ms, conversations=chats or None
        )
        if not where.json:
            transfer = short(begun.transfer_id)
            giving = words.begun.format(
                total=begun.total, device=short(device_id), transfer=transfer
            )
            say(giving if begun.total else words.nothing)
        with anyio.move_on_after(where.timeout):
            await _over(engine, begun.transfer_id)
        await _show(engine, await _transfer(engine, begun.transfer_id), where, words)

    with_engine(where, work, language=language)


@local
def transfers(where: Access, *, language: Language = None) -> None:
    """What this device gives to others of yours, and takes from them. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        words = history_words(language)
        for one in await engine.devices.history_transfers():
            if where.json:
                print(jsonlines.dump(_fields(one)))
                continue
            total = "" if one.total is None else f" / {one.total}"
            print(
                f"{short(one.transfer_id)}  {moment(one.began_ms)}"
                f"  {words.to if one.is_given else words.by} {short(one.device_id)}"
                f"  {one.messages}{total}  {words.states[one.state.value]}"
            )

    with_engine(where, work, language=language)


@online
def stop(
    where: Access,
    transfer: Annotated[str, typer.Argument(help="How its id begins: `e2e device transfers`.")],
    *,
    language: Language = None,
) -> None:
    """Give no more history in a transfer, and have the relay delete what was not fetched."""

    async def work(engine: e2ecore.Engine) -> None:
        words = history_words(language)
        found = [
            one
            for one in await engine.devices.history_transfers()
            if one.is_given and one.transfer_id.hex().startswith(transfer.lower())
        ]
        if len(found) != 1:
            raise CliError(words.no_transfer, Exit.USAGE)
        await engine.devices.stop_history(found[0].transfer_id)
        await _show(engine, await _transfer(engine, found[0].transfer_id), where, words)

    with_engine(where, work, language=language)


_UNDER_WAY = e2ecore.TransferState.UNDER_WAY


async def _transfer(engine: e2ecore.Engine, transfer_id: bytes) -> e2ecore.HistoryTransfer:
    known = await engine.devices.history_transfers()
    return next(one for one in known if one.transfer_id == transfer_id)


async def _over(engine: e2ecore.Engine, transfer_id: bytes) -> None:
    events = engine.events()
    try:
        if (await _transfer(engine, transfer_id)).state is not _UNDER_WAY:
            return
        async for event in events:
            if isinstance(event, e2ecore.HistoryTransferChanged):
                changed = event.transfer
                if changed.transfer_id == transfer_id and changed.state is not _UNDER_WAY:
                    return
    finally:
        events.close()


async def _show(
    engine: e2ecore.Engine, one: e2ecore.HistoryTransfer, where: Access, words: HistoryWords
) -> None:
    if where.json:
        print(jsonlines.dump(_fields(one)))
        return
    names = Names(engine)
    for uid, count in one.withheld.items():
        chat = await engine.conversations.get(uid)
        say(words.withheld.format(count=count, who=await names.title(chat)))
    if one.state is _UNDER_WAY:
        say(words.under_way.format(done=one.messages, total=one.total))
        say(words.later)
    elif one.state is e2ecore.TransferState.GIVEN:
        say(words.given)
    else:
        say(words.ended)


def _fields(one: e2ecore.HistoryTransfer) -> dict[str, object]:
    return {
        "type": "transfer",
        "transfer": one.transfer_id.hex(),
        "device": one.device_id.hex(),
        "given": one.is_given,
        "state": one.state.value,
        "messages": one.messages,
        "total": one.total,
        "withheld": {uid.hex(): count for uid, count in one.withheld.items()},
        "began_ms": one.began_ms,
    }
