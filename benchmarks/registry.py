"""All scenarios, in the order in which they run and are documented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.scenarios import (
    attachments_format,
    attachments_relay,
    attachments_sweep,
    device_linking,
    history,
    hostile_clients,
    message_rows,
    mls_commits,
    mls_join,
    mls_limits,
    mls_messages,
    own_devices,
    portability,
    relay_alone,
    search,
    stored_history,
    stored_receive,
    ten_members,
    two_devices,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.model import Measure, Scenario

SCENARIOS: Final[tuple[Scenario, ...]] = (
    two_devices.SEQUENTIAL,
    two_devices.PIPELINED,
    two_devices.LATENCY,
    two_devices.DRAIN,
    ten_members.TEN_MEMBERS,
    history.HISTORY,
    device_linking.LINKING,
    device_linking.DEVICE_SEATS,
    device_linking.HISTORY_TRANSFER,
    relay_alone.RELAY_ALONE,
    hostile_clients.HOSTILE_CLIENTS,
    attachments_format.ATTACHMENTS_FORMAT,
    attachments_relay.ATTACHMENTS_RELAY,
    attachments_sweep.ATTACHMENTS_SWEEP,
    mls_messages.MLS_MESSAGES,
    mls_commits.MLS_ADD,
    mls_commits.MLS_PATH,
    mls_commits.MLS_REMOVE,
    mls_join.MLS_JOIN,
    mls_limits.MLS_JUMP,
    mls_limits.MLS_TREE,
    message_rows.ROWS,
    stored_history.PAGES,
    stored_receive.RECEIVE,
    search.SEARCH,
    search.ERASE,
    own_devices.RECONCILE,
    portability.PORTABILITY,
    portability.PORTABLE_FILES,
)


class UnknownScenarioError(Exception):
    """No scenario has this name. `--list` shows all."""


def select(names: Sequence[str]) -> list[Scenario]:
    """Return the scenarios whose name is, or begins with, one of `names`; all of them for no names.

    Raises:
        UnknownScenarioError: A name fits nothing.
    """
    chosen: list[Scenario] = []
    for name in names:
        found = [scenario for scenario in SCENARIOS if scenario.name == name]
        found = found or [scenario for scenario in SCENARIOS if scenario.name.startswith(name)]
        if not found:
            raise UnknownScenarioError(f"no scenario is called {name!r} (--list shows all)")
        chosen.extend(scenario for scenario in found if scenario not in chosen)
    return chosen if names else list(SCENARIOS)


def documentation() -> str:
    """Return the scenarios as Markdown, for `docs/benchmarks.md`."""
    return "\n".join(_section(scenario) for scenario in SCENARIOS)


def _section(scenario: Scenario) -> str:
    sizes = ", ".join(f"{size:,} ({scale.value})" for scale, size in scenario.sizes.items())
    head = (
        f"### `{scenario.name}`: {scenario.title}\n\n{scenario.about}\n\nSize in"
        f" {scenario.size_unit}: {sizes}.\n"
    )
    table = ["| row | unit | meaning | compared with | must reach |", "|---|---|---|---|---|"]
    return "\n".join([head, *table, *(_line(measure) for measure in scenario.measures), ""])


def _line(measure: Measure) -> str:
    goal = "" if measure.goal is None else str(measure.goal)
    cells = (f"`{measure.name}`", measure.unit, measure.meaning, measure.reference or "", goal)
    return f"| {' | '.join(cells)} |"
