"""A whole comparison of two sets of ops, frame by frame."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from e2ecore.sync.items import Items
from e2ecore.sync.reconciling import Reconciler, answer
from e2ecore_protocol.limits import MAX_COMPARISON_BYTES


@dataclass
class Compared:
    """What came of it, and what it took; sizes in bytes."""

    have: set[bytes] = field(default_factory=set)
    need: set[bytes] = field(default_factory=set)
    rounds: int = 0
    total: int = 0
    longest: int = 0

    def passed(self, frame: bytes) -> None:
        """Count a frame."""
        self.total += len(frame)
        self.longest = max(self.longest, len(frame))


def compare(
    here: Iterable[tuple[int, bytes]],
    there: Iterable[tuple[int, bytes]],
    frame_bytes: int = MAX_COMPARISON_BYTES,
) -> Compared:
    """Compare two sets; each difference is found once."""
    ours, theirs = Items(here), Items(there)
    asking = Reconciler(ours, max_frame_bytes=frame_bytes)
    compared = Compared()
    question: bytes | None = asking.initiate()
    while question is not None:
        said = answer(theirs, question, max_frame_bytes=frame_bytes)
        compared.rounds += 1
        compared.passed(question)
        compared.passed(said)
        found = asking.respond(said)
        assert compared.have.isdisjoint(found.have)
        assert compared.need.isdisjoint(found.need)
        compared.have.update(found.have)
        compared.need.update(found.need)
        question = found.frame
    return compared
