"""The frames of blobs: what each asks of the domain, and how it is answered."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    AcknowledgeBlob,
    CreateBlob,
    FetchBlob,
    Frame,
    Ok,
    QueryBlobs,
    RecallBlob,
)
from e2ecore_relay.domain import blobs
from e2ecore_relay.domain.coverage import Covered
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.server.authentication import verify

if TYPE_CHECKING:
    from e2ecore_relay.server.hub import Hub

BlobRequest: TypeAlias = CreateBlob | FetchBlob | AcknowledgeBlob | RecallBlob | QueryBlobs
"""What a client asks about blobs."""


def carry_out(hub: "Hub", asker: Covered, frame: BlobRequest, turn: Turn) -> Callable[[], Frame]:
    """Do what a frame asks, in the transaction. Return what makes its answer, after the commit.

    Raises:
        RefusedError: Nothing was changed.
    """
    office, sender = hub.office, asker.device
    match frame:
        case CreateBlob():
            if not office.has_room(frame.size):
                raise RefusedError(ErrorCode.RELAY_FULL, retry_after_ms=_FULL_PAUSE_MS)
            created = blobs.create(office.keeper, turn, office.time(), sender, frame)
            hub.metrics.blobs_created += 1
            return lambda: created
        case FetchBlob():
            granted = blobs.fetch(office.keeper, turn, office.time(), asker, frame)
            return lambda: granted
        case AcknowledgeBlob():
            blobs.acknowledge(office.keeper, turn, sender, frame, verify)
        case RecallBlob():
            blobs.recall(turn, sender.account, frame.blob_id)
            return _swept(hub, Ok(frame.request), frame.blob_id)
        case QueryBlobs():
            found = blobs.states(turn.ledger, frame.request, sender, frame.blob_ids)
            return lambda: found
    return _swept(hub, Ok(frame.request))


_FULL_PAUSE_MS = 60_000
"""When a client whose blob has no room may ask again."""


def _swept(hub: "Hub", answer: Frame, *doomed: bytes) -> Callable[[], Frame]:
    """Something may have been doomed: let the sweep look, after the commit."""

    def reply() -> Frame:
        hub.office.transfers.cut(doomed)
        hub.office.look_soon()
        return answer

    return reply
