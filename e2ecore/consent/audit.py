"""Consents on paper: what a person takes along, and how anybody checks it without a network.

The file is JSON that people can read; what counts in it are the encoded chain entries and records.
Spec: protocol/spec/80-chain-and-consent.md, [CHN-44].
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from e2ecore.consent.ledger import ConsentState, state_of
from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import ED25519
from e2ecore.errors import UsageError
from e2ecore.ids import AccountId
from e2ecore_protocol.chain.entry import Entry
from e2ecore_protocol.chain.errors import ChainError
from e2ecore_protocol.chain.record import ConsentRecord, commitment, hash_of_notice
from e2ecore_protocol.chain.state import AccountState, Consent, start
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_CHAIN_ENTRIES

FORMAT: Final = "e2ecore consents"
VERSION: Final = 1
MAX_FILE_BYTES: Final = 64 << 20
"""Largest file that is looked at: a full chain, and a long notice for each consent."""


class BadConsentFileError(UsageError):
    """This file does not prove what it says. The text names what does not fit."""


class Paper(NamedTuple):
    """One record with what opens it."""

    record: bytes
    """Encoded."""
    salt: bytes
    notice: str


@dataclass(frozen=True, slots=True)
class AuditedConsent:
    """A consent that was checked against its account's chain."""

    record: ConsentRecord | None
    """None: the file does not say more than the chain."""
    notice: str
    """The text that was shown."""
    purpose: str
    granted_ms: int
    """When the chain took it; ``record.times`` says when it was given."""
    expires_ms: int | None
    withdrawn_ms: int | None
    state: ConsentState


@dataclass(frozen=True, slots=True)
class ConsentAudit:
    """What a file of consents proves."""

    account_id: AccountId
    entries: int
    """Length of the chain."""
    live_devices: int
    consents: tuple[AuditedConsent, ...]
    """Oldest first."""


def write_consents(entries: Sequence[bytes], papers: Iterable[Paper]) -> bytes:
    """Return the file: UTF-8, JSON.

    Args:
        entries: The account's whole chain, encoded.
        papers: The records that are known.
    """
    document = {
        "format": FORMAT,
        "version": VERSION,
        "chain": [_text(entry) for entry in entries],
        "consents": [
            {
                "says": _readable(ConsentRecord.decode(paper.record)),
                "notice": paper.notice,
                "record": _text(paper.record),
                "salt": _text(paper.salt),
            }
            for paper in papers
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def verify_consents(data: bytes, *, now_ms: int) -> ConsentAudit:
    """Check a file of consents against the chain in it; needs no network and no account.

    It proves what the owner of the identity key said. Whether the chain is the newest only the
    relay and the account's contacts can tell.

    Args:
        data: The file.
        now_ms: Milliseconds since the Unix epoch: what is in force then.

    Raises:
        BadConsentFileError: Something does not fit.
    """
    document = _document(data)
    chain = _chain(_listing(document, "chain"))
    papers = dict(_paper(chain, one) for one in _listing(document, "consents"))
    return ConsentAudit(
        AccountId(chain.account_id),
        chain.head_seq + 1,
        len(chain.live_devices()),
        tuple(_audited(one, papers.get(one.consent_id), now_ms) for one in chain.consents.values()),
    )


def _audited(
    chained: Consent, paper: tuple[ConsentRecord, str] | None, now_ms: int
) -> AuditedConsent:
    record, notice = paper or (None, "")
    state = state_of(chained, wanted=True, expires_ms=chained.expires_ms, now_ms=now_ms)
    return AuditedConsent(
        record, notice, chained.purpose, chained.granted_ms, chained.expires_ms,
        chained.withdrawn_ms, state,
    )  # fmt: skip


def _document(data: bytes) -> Mapping[str, object]:
    if len(data) > MAX_FILE_BYTES:
        raise BadConsentFileError("too large")
    try:
        document: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadConsentFileError("not JSON") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadConsentFileError("not a file of consents")
    if document.get("version") != VERSION:
        raise BadConsentFileError("of another version")
    return cast("dict[str, object]", document)


def _listing(document: Mapping[str, object], name: str) -> list[object]:
    found = document.get(name)
    if not isinstance(found, list) or len(found) > MAX_CHAIN_ENTRIES:
        raise BadConsentFileError(f"no list of {name}")
    return cast("list[object]", found)


def _chain(encoded: Iterable[object]) -> AccountState:
    try:
        return start([Entry.decode(_bytes(one)) for one in encoded], ED25519.verify)
    except (ChainError, MalformedError, SignatureError) as error:
        raise BadConsentFileError(f"the chain is not valid: {error}") from error


def _paper(chain: AccountState, given: object) -> tuple[bytes, tuple[ConsentRecord, str]]:
    fields = given if isinstance(given, dict) else {}
    notice = fields.get("notice")
    encoded, salt = _bytes(fields.get("record")), _bytes(fields.get("salt"))
    try:
        record = ConsentRecord.decode(encoded)
        committed = commitment(salt, encoded)
    except MalformedError as error:
        raise BadConsentFileError(f"a record is malformed: {error}") from error
    chained = chain.consents.get(record.consent_id)
    if chained is None or record.account_id != chain.account_id:
        raise BadConsentFileError("a record that the chain does not know")
    if committed != chained.commitment:
        raise BadConsentFileError("a record that is not the one in the chain")
    said = (record.purpose, record.notice_hash, record.times.expires_ms)
    if said != (chained.purpose, chained.notice_hash, chained.expires_ms):
        raise BadConsentFileError("a record that contradicts the chain")
    if not isinstance(notice, str) or hash_of_notice(notice) != record.notice_hash:
        raise BadConsentFileError("another notice than the one that was shown")
    if fields.get("says") != _readable(record):
        raise BadConsentFileError("the readable part differs from the record")
    return record.consent_id, (record, notice)


def _readable(record: ConsentRecord) -> dict[str, object]:
    """Return a record as people read it; the same as what was decoded from JSON.

    It names all that ISO/IEC TS 27560:2023 wants of a record; some of that is the same in each.
    """
    return {
        "schema": f"e2ecore consent record {record.version}",
        "consent_id": record.consent_id.hex(),
        "account_id": record.account_id.hex(),
        "device_id": record.device_id.hex(),
        "purpose": record.purpose,
        "scope": record.scope,
        "notice_version": record.notice_version,
        "notice_language": record.notice_language,
        "notice_sha256": record.notice_hash.hex(),
        "data": [*record.data],
        "controllers": [
            {
                "type": "PII controller",
                "name": one.name,
                "contact": one.contact,
                "address": one.address,
            }
            for one in record.controllers
        ],
        "storage": [*record.storage],
        "recipients": [*record.recipients],
        "retention_s": record.retention_s,
        "jurisdiction": record.jurisdiction,
        "withdrawal": record.withdrawal,
        "event_type": "explicit consent",
        "event_state": "consent given",
        "given_ms": record.times.given_ms,
        "expires_ms": record.times.expires_ms,
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise BadConsentFileError("a field is missing")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadConsentFileError("a field is not base64") from error
