"""The command ``e2e``: all verbs in one place. Run as ``e2e`` or ``python -m cli_demo``."""

import sys

import typer

from cli_demo import helping
from cli_demo.exits import Exit
from cli_demo.verbs import (
    accounts,
    consents,
    contacts,
    devices,
    drafts,
    files,
    groups,
    guardians,
    histories,
    keeping,
    keys,
    messages,
    mydata,
    pins,
    polls,
    programs,
    remarks,
    searching,
    settings,
    taking,
    youth,
)

_ABOUT = """End-to-end encrypted messages. The relay forwards them and can read none.

First steps: `e2e demo` shows what it does. For yourself: `e2e relay` in one terminal,
`e2e register HANDLE` and `e2e chat` in others.
"""
_EPILOG = """Exit codes: 0 done, 1 failed, 2 wrong usage, 3 wrong passphrase, 4 relay unreachable,
5 refused by the relay or a member, 130 interrupted. The passphrase is asked for without echo; for
scripts set E2E_PASSPHRASE_FILE or use --passphrase-fd."""
_TALK, _PEOPLE, _RUN = "Talk", "Account and people", "Run"
_PASSING_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    name="e2e",
    help=_ABOUT,
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command(rich_help_panel=_TALK)(programs.chat)
app.command("list", rich_help_panel=_TALK)(messages.list_conversations)
app.command(rich_help_panel=_TALK)(messages.send)
app.command(rich_help_panel=_TALK)(messages.share)
app.command("send-file", rich_help_panel=_TALK)(files.send_file)
app.command(rich_help_panel=_TALK)(files.get)
app.command(rich_help_panel=_TALK)(files.files)
app.command(rich_help_panel=_TALK)(messages.tail)
app.command(rich_help_panel=_TALK)(messages.history)
app.command(rich_help_panel=_TALK)(searching.search)
for verb in (
    *(remarks.reply, remarks.forward, remarks.react, remarks.edit, remarks.earlier),
    *(remarks.recall, remarks.delete, pins.pin, pins.unpin, pins.pins),
    *(settings.top, settings.archive, settings.mute, settings.receipts),
    *(keeping.lifetime, keeping.keep),
):
    app.command(rich_help_panel=_TALK)(verb)
app.command("keep-earlier", rich_help_panel=_TALK)(keeping.keep_earlier)
app.add_typer(drafts.app, rich_help_panel=_TALK)
app.add_typer(polls.app, rich_help_panel=_TALK)
app.add_typer(groups.app, rich_help_panel=_TALK)
app.command(rich_help_panel=_PEOPLE)(accounts.register)
app.command(rich_help_panel=_PEOPLE)(accounts.whoami)
app.command(rich_help_panel=_PEOPLE)(contacts.contacts)
app.add_typer(contacts.app, rich_help_panel=_PEOPLE)
app.command(rich_help_panel=_PEOPLE)(accounts.verify)
app.command(rich_help_panel=_PEOPLE)(accounts.checkpoint)
app.command(rich_help_panel=_PEOPLE)(contacts.block)
app.command(rich_help_panel=_PEOPLE)(contacts.unblock)
app.add_typer(consents.app, rich_help_panel=_PEOPLE)
for verb in (histories.give, histories.transfers, histories.stop):
    devices.app.command()(verb)
app.add_typer(devices.app, rich_help_panel=_PEOPLE)
app.add_typer(guardians.app, rich_help_panel=_PEOPLE)
app.add_typer(youth.app, rich_help_panel=_PEOPLE)
app.add_typer(keys.app, rich_help_panel=_PEOPLE)
app.command(rich_help_panel=_RUN)(keys.repair)
app.command(rich_help_panel=_PEOPLE)(taking.export)
app.command("import", rich_help_panel=_PEOPLE)(taking.import_)
app.command(rich_help_panel=_PEOPLE)(mydata.mydata)
app.command(rich_help_panel=_PEOPLE)(mydata.name)
app.command(rich_help_panel=_RUN)(programs.demo)
app.command(rich_help_panel=_RUN, context_settings=_PASSING_ON)(programs.relay)
app.command(rich_help_panel=_RUN, context_settings=_PASSING_ON)(programs.bench)
app.command("demo-device", hidden=True)(programs.demo_device)


def main() -> None:
    """Run the command line; every way out has a documented exit code."""
    try:
        sys.exit(helping.run(app, helping.language_of(sys.argv[1:])))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


if __name__ == "__main__":
    main()
