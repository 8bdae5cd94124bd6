"""Where other implementations of group messaging sit in the same table as ours.

A scenario asks every peer for its figures of one *work*, under the names of the scenario's own
figures. A peer that does not know the work has none, and its rows say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.model import Context, Goal, Measure, Result, Scenario
from benchmarks.peers.mls import MLS_WORKERS
from benchmarks.peers.setup import NotInstalledError
from benchmarks.worker import WorkerError

if TYPE_CHECKING:
    from collections.abc import Mapping

OPENMLS: Final = "openmls-wasm"
TS_MLS: Final = "ts-mls"
VODOZEMAC: Final = "vodozemac"
DOUBLERATCHET: Final = "doubleratchet"
RFC9420: Final = "rfc9420"

MESSAGE_PEERS: Final = (OPENMLS, TS_MLS, RFC9420, VODOZEMAC, DOUBLERATCHET)
"""Those that protect messages."""

GROUP_PEERS: Final = (OPENMLS, TS_MLS, RFC9420)
"""Those with a group key agreement."""


def add_peers(context: Context, result: Result, scenario: Scenario, size: int) -> None:
    """Measure the peers that the scenario's rows name, if wanted, as often as ours were."""
    named = {measure.reference for measure in scenario.measures} if context.peers else set()
    for name, start in MLS_WORKERS.items():
        if name not in named:
            continue
        try:
            with start(context.home) as peer:
                result.versions[name] = peer.version()
                for run in range(context.runs):
                    sample = peer.measure(scenario.name, size)
                    if not sample:
                        result.skipped[name] = "it cannot do this"
                        break
                    result.add(name, sample)
                    shown = ", ".join(f"{key} {value:.4g}" for key, value in sample.items())
                    context.say(f"run {run + 1}/{context.runs} {name}: {shown}")
        except (NotInstalledError, WorkerError) as error:
            result.skipped[name] = str(error)


def beside(
    measure: Measure, peers: tuple[str, ...], goals: Mapping[str, Goal]
) -> tuple[Measure, ...]:
    """Return one row for each peer, with the figure of `measure`.

    Args:
        measure: The row that names figure, unit and meaning.
        peers: Whom to compare with.
        goals: What must be reached beside some of them.
    """
    return tuple(
        Measure(
            f"{measure.name}_{peer.replace('-', '_')}",
            measure.key,
            measure.unit,
            measure.meaning,
            peer,
            goals.get(peer),
        )
        for peer in peers
    )
