"""``register``, ``whoami``, ``verify``, ``checkpoint``: who we are, and others."""

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

import e2ecore
from cli_demo import jsonlines, qr
from cli_demo.contact_words import ContactWords, contact_words, lines_of
from cli_demo.exits import CliError, Exit
from cli_demo.naming import account_text, short
from cli_demo.options import Access, Language, local, online
from cli_demo.places import relay_of, remember_relay
from cli_demo.running import at_relay, need_account, reported, with_engine
from cli_demo.saying import say
from cli_demo.text import in_groups, moment, visible

_GROUPS_PER_LINE = 6


@online
def register(
    where: Access,
    handle: Annotated[
        str,
        typer.Argument(
            help="The name others find you by: 3 to 32 of a-z 0-9 _ . , a letter first."
        ),
    ],
    *,
    display_name: Annotated[
        str | None, typer.Option("--name", help="How you want to be called; shown to contacts.")
    ] = None,
) -> None:
    """Make an encrypted database and an account, and register its handle at a relay.

    Asks twice for a new passphrase. Nobody can reset it: without it the database stays closed.
    """

    async def work(engine: e2ecore.Engine) -> None:
        account = await at_relay(
            engine, lambda: engine.register(handle, display_name=display_name), where.timeout
        )
        remember_relay(where.db, relay_of(where.db, where.relay, where.relay_ca))
        if where.json:
            print(jsonlines.dump(jsonlines.account(account)))
        else:
            print(f"Registered {handle}. Account {account_text(account.account_id)}.")
            print(f"Database {where.db}")

    with reported(debug=where.debug):
        where.db.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with_engine(where, work, registering=True)


@local
def whoami(where: Access) -> None:
    """Show the account of a database."""

    async def work(engine: e2ecore.Engine) -> None:
        account = need_account(engine)
        if where.json:
            print(jsonlines.dump(jsonlines.account(account)))
            return
        place = relay_of(where.db, None, None)
        print(f"handle    {account.handle}")
        if account.display_name:
            print(f"name      {visible(account.display_name)}")
        print(f"account   {account_text(account.account_id)}")
        print(f"device    {account.device_id.hex()}")
        print(f"database  {where.db}")
        print(f"relay     {place.url}")

    with_engine(where, work)


@online
def verify(
    where: Access,
    handle: Annotated[str, typer.Argument(help="Whose safety number.")],
    *,
    mark: Annotated[
        bool,
        typer.Option("--mark", help="Remember that you compared it and that it was the same."),
    ] = False,
    expect: Annotated[
        str | None,
        typer.Option(
            "--expect",
            metavar="DIGITS",
            help="The number that the other person sees: compare, mark if equal, else exit 5.",
        ),
    ] = None,
    scanned: Annotated[
        str | None,
        typer.Option(
            "--scanned",
            metavar="HEX",
            help="The same with what a scanner read from the other person's QR code.",
        ),
    ] = None,
    unmark: Annotated[
        bool,
        typer.Option("--unmark", help="Take it back, or accept new devices without comparing."),
    ] = False,
    language: Language = None,
) -> None:
    """Show the safety number of a contact, as digits and as a QR code.

    Both of you must see the same number; read it to each other or scan it. Only then nobody sits
    between you.
    """

    async def work(engine: e2ecore.Engine) -> None:
        contact = await at_relay(engine, lambda: engine.contacts.find(handle), where.timeout)
        number, words, who = contact.safety_number(), contact_words(language), visible(handle)
        if expect is not None and "".join(expect.split()) != number.digits:
            raise CliError(words.differ.format(who=who), Exit.REFUSED)
        if scanned is not None:
            _check_scanned(number, scanned)
        if mark or expect is not None or scanned is not None:
            await contact.mark_verified()
        elif unmark:
            await contact.mark_unverified()
        if where.json:
            fields = {
                **jsonlines.contact(contact),
                "safety_number": number.digits,
                "qr": number.qr_bytes.hex(),
            }
            print(jsonlines.dump(fields))
        else:
            show_number(number, who, contact.verification, words)
            say("\n".join(["", *lines_of(contact, who, words, moment)]))

    with_engine(where, work, language=language)


def show_number(
    number: e2ecore.SafetyNumber, who: str, state: e2ecore.Verification, words: ContactWords
) -> None:
    """Print digits and QR code, as large as they are readable.

    Args:
        number: What both must see.
        who: What the other one is called, harmless.
        state: In how far it was compared.
        words: In which language.
    """
    console = Console(highlight=False, soft_wrap=True)
    groups = in_groups(number.digits)
    say(words.heading.format(who=who, state=words.short[state]) + "\n")
    for start in range(0, len(groups), _GROUPS_PER_LINE):
        console.print(Text("  " + " ".join(groups[start : start + _GROUPS_PER_LINE]), "bold"))
    console.print()
    qr.show(number.qr_bytes)
    say("\n" + words.other_runs)


@online
def checkpoint(
    where: Access,
    handle: Annotated[str, typer.Argument(help="Whose account.")],
    *,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="CHECKPOINT",
            help="What somebody else's `e2e checkpoint` shows of the same account: exit 5 if the "
            "relay shows the two of you different things.",
        ),
    ] = None,
) -> None:
    """Show somebody's account as you have seen it: devices with their dates, and a checkpoint.

    Friends of the same person compare it, in person or over another messenger: that finds a relay,
    or a stolen identity key, that shows different people different devices.
    """

    async def work(engine: e2ecore.Engine) -> None:
        contact = await at_relay(engine, lambda: engine.contacts.find(handle), where.timeout)
        if compare is not None:
            await contact.compare_checkpoint(_read_checkpoint(compare))
        mark = contact.checkpoint()
        if where.json:
            fields = {"account": contact.account_id.hex(), "checkpoint": mark.hex()}
            devices = [jsonlines.contact_device(one) for one in contact.devices]
            print(jsonlines.dump({"type": "checkpoint", **fields, "devices": devices}))
            return
        if compare is not None:
            print(f"You both see the same account of {visible(handle)}.")
        for one in contact.devices:
            over = "" if one.removed_ms is None else f", removed {moment(one.removed_ms)}"
            off = "" if one.is_valid or over else ", not talked to: its consent is over"
            print(f"device {short(one.device_id)}  added {moment(one.added_ms)}{over}{off}")
        qr.show(mark)
        print(mark.hex())

    with_engine(where, work)


def _check_scanned(number: e2ecore.SafetyNumber, scanned: str) -> None:
    try:
        code = bytes.fromhex("".join(scanned.split()))
    except ValueError:
        raise CliError("a scanned code is written in hexadecimal", Exit.USAGE) from None
    number.check_scanned(code)


def _read_checkpoint(text: str) -> bytes:
    try:
        return bytes.fromhex("".join(text.split()))
    except ValueError:
        raise e2ecore.BadCheckpointError from None
