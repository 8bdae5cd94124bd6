"""Show rows to people: one table per scenario, the machine above, the skipped peers below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from benchmarks.rows import NOT_MEASURED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from benchmarks.model import Result, Scenario
    from benchmarks.rows import Row
    from benchmarks.wire import JsonObject

VERDICTS: Final = {True: "[green]holds[/]", False: "[red]does not hold[/]", None: ""}


def show_machine(console: Console, machine: JsonObject) -> None:
    """Print one line about the machine, one about the libraries."""
    console.print(
        escape(
            f"{machine['cores']} cores, {machine['cpu']}, {machine['memory_gib']} "
            f"GiB, {machine['system']}, "
            f"Linux {machine['kernel']}, Python {machine['python']}, fdatasync p50 "
            f"{machine['fdatasync_p50_ms']} ms, "
            f"load {machine['load_1min']}"
        )
    )
    libraries = machine["libraries"]
    if isinstance(libraries, dict):
        console.print(
            ", ".join(f"{name} {version}" for name, version in libraries.items()), style="dim"
        )


def show_rows(console: Console, scenario: Scenario, rows: Sequence[Row]) -> None:
    """Print the table of one scenario."""
    table = Table()
    table.add_column("row", no_wrap=True)
    for heading in ("median", "min", "max"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    table.add_column("compared with")
    for heading in ("its median", "ratio"):
        table.add_column(heading, justify="right")
    table.add_column("must reach")
    table.add_column("")
    for row in rows:
        table.add_row(
            row.name.removeprefix(f"{scenario.name}."),
            shown(row.value) or "failed",
            shown(row.low),
            shown(row.high),
            row.unit,
            escape(row.reference or ""),
            shown(row.reference_value) or (NOT_MEASURED if row.reference else ""),
            "" if row.ratio is None else f"{shown(row.ratio)}x",
            row.must_reach or "",
            VERDICTS[row.holds],
        )
    console.print(table)


def show_notes(console: Console, result: Result) -> None:
    """Print what ran, and what was left out and why."""
    for system, version in result.versions.items():
        console.print(f"{system}: {escape(version)}", style="dim")
    for system, reason in result.skipped.items():
        console.print(f"{system}: {NOT_MEASURED}: {escape(reason)}", style="yellow")


def shown(value: float | None) -> str:
    """Return a figure with three or four significant digits; nothing for None."""
    if value is None:
        return ""
    if abs(value) >= 1000:  # noqa: PLR2004 - from here on, no decimals
        return f"{value:,.0f}"
    return f"{value:.3g}"
