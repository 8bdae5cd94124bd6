"""What has to be agreed to before the relay keeps something for other devices of a person.

Spec: protocol/spec/76-history-transfer.md
"""

from e2ecore_protocol.chain.bodies import HISTORY_TRANSFER
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.blobs import CreateBlob
from e2ecore_relay.domain.accounts import known, state_of
from e2ecore_relay.domain.clock import BlobTime
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.log import LogKind
from e2ecore_relay.domain.ports import StoredDevice


def check_agreed(turn: Turn, time: BlobTime, sender: StoredDevice, frame: CreateBlob) -> None:
    """Refuse what goes among the devices of an account whose owner has not agreed to that.

    Nothing but history is sent as blobs there ([HST-01]).

    Raises:
        RefusedError: consent_required, with the purpose as data.
    """
    log = turn.exchange.log(turn.ledger, frame.conversation)
    if log is None or log.kind != LogKind.SELF:
        return
    chain = state_of(turn.ledger, known(turn.ledger, sender.address.account_id))
    if not chain.has_consent(HISTORY_TRANSFER, time.later_ms):
        detail = "history goes to another device with a consent to that"
        raise RefusedError(ErrorCode.CONSENT_REQUIRED, detail, data=HISTORY_TRANSFER)
