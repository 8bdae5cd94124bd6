"""What has to be agreed to before the relay keeps something for other devices of a person.

Nothing but history is sent as blobs among own devices ([HST-01]). They are promised for no longer
than the consent is in force, so they end in time as any blob does, and a clock that is set wrong
destroys nothing here either. When the consent is taken back they end at once.

Spec: protocol/spec/76-history-transfer.md, [HST-05]
"""

from typing import Final

from e2ecore_protocol.chain.bodies import HISTORY_TRANSFER
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.blobs import DeletionReason
from e2ecore_protocol.frames.conversations import self_conversation_id
from e2ecore_protocol.limits import MAX_DIRECT_ATTEMPT
from e2ecore_relay.domain import minors
from e2ecore_relay.domain.chains import state_of
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.log import LogKind
from e2ecore_relay.domain.ports import Ledger

_FROM_THE_BEGINNING: Final = 0
"""A time before every expiry: what no clock says counts then."""


def agreed_until(ledger: Ledger, account: int, kind: int, now_ms: int) -> int | None:
    """Return until when blobs for a conversation of some kind may wait, by its owner's consent.

    Returns:
        None: none is needed, or no end of it is known.

    Raises:
        RefusedError: consent_required, with the purpose as data.
    """
    if kind != LogKind.SELF:
        return None
    chain = minors.counted(ledger, account, state_of(ledger, account), now_ms)
    until_ms = chain.ends_ms(HISTORY_TRANSFER, now_ms)
    if until_ms is not None and until_ms <= now_ms:
        detail = "history goes to another device with a consent to that"
        raise RefusedError(ErrorCode.CONSENT_REQUIRED, detail, data=HISTORY_TRANSFER)
    return until_ms


def end_unagreed(ledger: Ledger, account: int, chain: AccountState) -> list[bytes]:
    """Destroy the shares of what goes among an account's own devices without a consent for it.

    Args:
        ledger: The open transaction.
        account: Whose.
        chain: Its chain, with the consents that count.

    Returns:
        The ids of these blobs. None for what time ends: it was promised for no longer.
    """
    until_ms = chain.ends_ms(HISTORY_TRANSFER, _FROM_THE_BEGINNING)
    if until_ms is None:
        return []
    attempts = range(MAX_DIRECT_ATTEMPT + 1)
    logs = ledger.logs.load([self_conversation_id(chain.account_id, one) for one in attempts])
    sent = ledger.blobs.sent(account, [log.lid for log in logs])
    ended = [blob for blob in sent if blob.expires_ms > until_ms]
    ledger.blobs.doom([(blob.blob, DeletionReason.RECALLED) for blob in ended])
    return [blob.blob_id for blob in ended]
