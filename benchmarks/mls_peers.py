"""Where other implementations of group messaging sit in the same table as ours.

A scenario asks every peer for its figures of one *work*, under the names of the scenario's own
figures. A peer that does not know the work has none, and its rows say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from benchmarks.model import Context, Goal, Measure, Result
from benchmarks.peers.server import ServerError
from benchmarks.peers.setup import NotInstalledError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.model import Sample

OPENMLS: Final = "openmls-wasm"
TS_MLS: Final = "ts-mls"
VODOZEMAC: Final = "vodozemac"
DOUBLERATCHET: Final = "doubleratchet"
RFC9420: Final = "rfc9420"

MESSAGE_PEERS: Final = (OPENMLS, TS_MLS, RFC9420, VODOZEMAC, DOUBLERATCHET)
"""Those that protect messages."""

GROUP_PEERS: Final = (OPENMLS, TS_MLS, RFC9420)
"""Those with a group key agreement."""


class MlsPeer(Protocol):
    """One implementation, ready to be measured."""

    def version(self) -> str:
        """Return what exactly runs."""
        ...

    def measure(self, work: str, size: int) -> Sample:
        """Return the figures of one run, or none if this peer cannot do the work.

        Args:
            work: The scenario's name.
            size: Its size, in the scenario's unit.
        """
        ...


PEERS: Final[Mapping[str, Callable[[], MlsPeer]]] = {}
"""How to set up each peer; raises `NotInstalledError` where it does not install."""


def add_peers(context: Context, result: Result, work: str, size: int) -> None:
    """Measure all peers, if they are wanted, as often as ours were."""
    for name, make in PEERS.items() if context.peers else ():
        try:
            peer = make()
            result.versions[name] = peer.version()
            for _ in range(context.runs):
                sample = peer.measure(work, size)
                if not sample:
                    result.skipped[name] = "it cannot do this"
                    break
                result.add(name, sample)
        except (NotInstalledError, ServerError) as error:
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
