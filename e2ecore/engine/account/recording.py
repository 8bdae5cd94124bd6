"""The record of a consent, made of what the person was shown and what the app says of it."""

from dataclasses import dataclass
from typing import Final

from e2ecore.consent.notices import ConsentNotice
from e2ecore.consent.purposes import TERMS, Terms
from e2ecore.engine.errors import BadConsentError
from e2ecore.engine.running.job import Job
from e2ecore_protocol.chain.record import RECORD_VERSION, ConsentRecord, Controller, Times
from e2ecore_protocol.limits import CONSENT_ID_BYTES

_WITHDRAWAL: Final = "in the app, at any time, by one call; it takes effect at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person agrees to, as the app says it."""

    notice: ConsentNotice
    controller: Controller
    scope: str
    expires_ms: int | None
    jurisdiction: str
    terms: Terms | None

    def recorded(self, job: Job) -> ConsentRecord:
        """Return the record, with an id of its own.

        Raises:
            BadConsentError: Terms are missing, or it would be over already.
        """
        notice = self.notice
        chosen = self.terms or TERMS.get(notice.purpose)
        if chosen is None:
            raise BadConsentError("a purpose of your own needs `terms`")
        times = Times(job.now_ms, self.expires_ms)
        if self.expires_ms is not None and self.expires_ms <= times.given_ms:
            raise BadConsentError("it would be over already")
        return ConsentRecord(
            RECORD_VERSION, job.state.rng(CONSENT_ID_BYTES), job.own.account_id,
            job.own.device_id, str(notice.purpose), self.scope, notice.version, notice.language,
            notice.hash, chosen.data, (self.controller,), chosen.storage, chosen.recipients,
            chosen.retention_s, self.jurisdiction, _WITHDRAWAL, times,
        )  # fmt: skip
