"""`python -m benchmarks`: measure, show, and write what was measured."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markup import escape

from benchmarks import machine, plots, registry, report
from benchmarks.model import Context, Result, Scale, Scenario
from benchmarks.rows import Row, failed_rows, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from benchmarks.wire import JsonObject, JsonValue

RESULTS: Final = Path(__file__).resolve().parent / "results"
"""Where `--save` keeps results, one file per machine and day."""

TABLE_COLUMNS: Final = 140
"""Width of the report where nobody says how wide the screen is."""

EXIT_FAILED: Final = 1
"""A scenario could not be run."""

EXIT_TERMINATED: Final = 128 + signal.SIGTERM
"""As a shell reports it."""

EXIT_USAGE: Final = 2
"""A name or option was wrong."""


@dataclass(slots=True)
class Outcome:
    """What one invocation measured."""

    machine: JsonObject
    rows: list[Row] = field(default_factory=list)
    results: dict[str, Result] = field(default_factory=dict)
    failures: int = 0


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="./run bench", description="Measure; every figure beside its reference."
    )
    made.add_argument("--documentation", action="store_true", help=argparse.SUPPRESS)
    made.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="scenarios, or how their names begin (default: all)",
    )
    made.add_argument("--list", action="store_true", help="show the scenarios and stop")
    made.add_argument(
        "--peers", action="store_true", help="also run the peers, installing them if needed"
    )
    made.add_argument(
        "--scale", choices=["short", "long"], default="short", help="3 or 5 runs (default: short)"
    )
    made.add_argument(
        "--quick", action="store_true", help="smallest sizes, one run: a smoke test, no figures"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write the rows")
    made.add_argument("--plots", type=Path, metavar="DIR", help="draw PNG and SVG")
    made.add_argument(
        "--save", action="store_true", help="keep rows, machine and all runs in benchmarks/results/"
    )
    made.add_argument(
        "--keep", type=Path, metavar="DIR", help="work in DIR and leave databases and logs there"
    )
    return made


def terminal() -> Console:
    """Return the console for people; as wide as a table needs where there is no terminal."""
    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, width=TABLE_COLUMNS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parser().parse_args(arguments)
    console = terminal()
    try:
        chosen = registry.select(options.names)
    except registry.UnknownScenarioError as error:
        console.print(escape(str(error)), style="red")
        return EXIT_USAGE
    if options.list:
        for scenario in chosen:
            sys.stdout.write(f"{scenario.name:28} {scenario.title}\n")
        return 0
    if options.documentation:
        sys.stdout.write(registry.documentation())
        return 0
    home = options.keep or Path(tempfile.mkdtemp(prefix="e2ecore-bench-"))
    home.mkdir(parents=True, exist_ok=True)
    try:
        scale = Scale.QUICK if options.quick else Scale(options.scale)
        context = Context(
            scale, options.peers, home, lambda line: console.print(f"  {escape(line)}", style="dim")
        )
        outcome = measure(context, chosen, console, options.plots)
    finally:
        if options.keep is None:
            shutil.rmtree(home, ignore_errors=True)
    if options.json is not None:
        options.json.write_text(
            json.dumps([row.to_json() for row in outcome.rows], indent=1) + "\n"
        )
    if options.save:
        console.print(f"saved: {save(outcome, RESULTS)}")
    return EXIT_FAILED if outcome.failures else 0


def measure(
    context: Context, chosen: Sequence[Scenario], console: Console, plot_directory: Path | None
) -> Outcome:
    """Run scenarios one after another and show each as soon as it is done."""
    outcome = Outcome(machine.describe(context.home))
    report.show_machine(console, outcome.machine)
    for scenario in chosen:
        size = scenario.sizes[context.scale]
        console.print(
            f"\n[bold]{scenario.title}[/] ({scenario.name}, {size:,} {scenario.size_unit})"
        )
        try:
            result = scenario.run(context.inside(scenario.name), size)
        except Exception as error:  # noqa: BLE001 - one broken scenario must not lose the figures of the others
            console.print(escape(traceback.format_exc()), style="red")
            outcome.rows += failed_rows(scenario, f"{type(error).__name__}: {error}")
            outcome.failures += 1
            continue
        rows = rows_of(scenario, result)
        outcome.rows += rows
        outcome.results[scenario.name] = result
        report.show_rows(console, scenario, rows)
        report.show_notes(console, result)
        if plot_directory is not None:
            plots.draw(scenario, result, plot_directory)
    return outcome


def save(outcome: Outcome, directory: Path) -> Path:
    """Write machine, rows and all runs to a file named after machine and day; return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    path = directory / f"{machine.label()}-{day}.json"
    results: dict[str, JsonValue] = {
        name: _result_json(result) for name, result in outcome.results.items()
    }
    document: JsonObject = {
        "machine": outcome.machine,
        "rows": [row.to_json() for row in outcome.rows],
        "results": results,
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def _result_json(result: Result) -> JsonObject:
    return {
        "versions": {**result.versions},
        "skipped": {**result.skipped},
        "samples": {
            system: [{**sample} for sample in samples] for system, samples in result.samples.items()
        },
    }


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    """Leave as an exception would, so that servers and workers are stopped on the way out."""
    raise SystemExit(EXIT_TERMINATED)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main())
