"""Consents on paper: what proves something is taken, what does not is named."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore.consent import audit
from e2ecore.consent.audit import BadConsentFileError, Paper, verify_consents, write_consents
from e2ecore.consent.ledger import ConsentState
from e2ecore.consent.notices import shipped_notice
from e2ecore.consent.purposes import TERMS, Purpose
from e2ecore_protocol.chain import (
    AccountState,
    ConsentGranted,
    ConsentRecord,
    Controller,
    Entry,
    Times,
    account_id_of,
    device_id_of,
    start,
)
from tests.support.chains import NOW_MS, added, device, entry, genesis, grown, verify, withdrawn

pytestmark = [pytest.mark.clause("GB42012-8.1.1d"), pytest.mark.clause("GB42012-13.1")]
NOTICE = shipped_notice(Purpose.PRESENCE, "zh-CN")
SALT = b"s" * 32
RECORD = ConsentRecord(
    1, b"c" * 16, account_id_of(genesis()), device_id_of(bytes(device(1).verify_key)),
    NOTICE.purpose, "", NOTICE.version, NOTICE.language, NOTICE.hash, ("when",),
    (Controller("Somebody", "somebody@example.org"),), ("relay",), (), None, "CN", "in the app",
    Times(NOW_MS, NOW_MS + 1_000),
)  # fmt: skip


def begun() -> AccountState:
    return start([genesis()], verify)


def chain_with(record: ConsentRecord = RECORD, *, over: bool = False) -> list[Entry]:
    entries = [genesis()]
    state = begun()
    for body in (added(state, 1), record.granted(SALT), *([withdrawn()] if over else [])):
        entries.append(entry(state, body))
        state = grown(state, body)
    return entries


def paper(record: ConsentRecord = RECORD, salt: bytes = SALT, notice: str = NOTICE.text) -> Paper:
    return Paper(record.encode(), salt, notice)


def file_of(entries: list[Entry], *papers: Paper) -> bytes:
    return write_consents([one.encode() for one in entries], papers)


@pytest.mark.parametrize(
    ("over", "now_ms", "state"),
    [
        (False, NOW_MS, ConsentState.GRANTED),
        (False, NOW_MS + 1_000, ConsentState.EXPIRED),
        (True, NOW_MS, ConsentState.WITHDRAWN),
    ],
)
def test_a_good_file_says_what_holds(*, over: bool, now_ms: int, state: ConsentState) -> None:
    found = verify_consents(file_of(chain_with(over=over), paper()), now_ms=now_ms)
    assert found.account_id == RECORD.account_id
    assert (found.entries, found.live_devices) == (4 if over else 3, 1)
    (one,) = found.consents
    assert (one.record, one.notice, one.state) == (RECORD, NOTICE.text, state)


def test_a_consent_without_papers_is_what_the_chain_says() -> None:
    (one,) = verify_consents(file_of(chain_with()), now_ms=NOW_MS).consents
    assert (one.record, one.notice, one.purpose) == (None, "", "presence")


def test_people_can_read_the_file() -> None:
    text = file_of(chain_with(), paper()).decode()
    assert "显示您的在线状态" in text
    assert "somebody@example.org" in text


TS_27560 = {
    "schema version": "schema", "record id": "consent_id", "principal id": "account_id",
    "privacy notice": "notice_sha256", "language": "notice_language", "purpose": "purpose",
    "PII information": "data", "controllers": "controllers", "storage locations": "storage",
    "retention period": "retention_s", "jurisdiction": "jurisdiction", "recipients": "recipients",
    "withdrawal method": "withdrawal", "event time": "given_ms", "validity": "expires_ms",
    "entity id": "device_id", "event type": "event_type", "event state": "event_state",
}  # fmt: skip
"""What ISO/IEC TS 27560:2023 makes mandatory, and where it stands in the file."""


def test_each_record_says_all_that_the_standard_makes_mandatory() -> None:
    (one,) = json.loads(file_of(chain_with(), paper()))["consents"]
    assert set(TS_27560.values()) <= set(one["says"])
    (party,) = one["says"]["controllers"]
    assert set(party) == {"type", "name", "contact", "address"}
    for purpose, terms in TERMS.items():
        assert all((purpose, terms.data, terms.storage)), "none is left empty"


def changed(change: Callable[[dict[str, object]], None]) -> bytes:
    document = json.loads(file_of(chain_with(), paper()))
    change(document)
    return json.dumps(document).encode()


def in_paper(name: str, value: object) -> bytes:
    def change(document: dict[str, object]) -> None:
        papers = document["consents"]
        assert isinstance(papers, list)
        papers[0][name] = value

    return changed(change)


def of_chain(chain: list[Entry]) -> bytes:
    return changed(
        lambda document: document.update(
            chain=[base64.b64encode(one.encode()).decode() for one in chain]
        )
    )


BAD: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "not JSON"),
    "nested beyond measure": (b"[" * 100_000, "not JSON"),
    "not UTF-8": (b"\xff{}", "not JSON"),
    "a list": (b"[]", "not a file of consents"),
    "another file": (b'{"format": "holiday photos"}', "not a file of consents"),
    "of the future": (changed(lambda d: d.update(version=2)), "another version"),
    "no chain": (changed(lambda d: d.update(chain=None)), "no list of chain"),
    "an empty chain": (changed(lambda d: d.update(chain=[])), "chain is not valid"),
    "a chain of numbers": (changed(lambda d: d.update(chain=[1])), "missing"),
    "not base64": (changed(lambda d: d.update(chain=["*"])), "base64"),
    "a chain with a bad signature": (
        of_chain([*chain_with()[:2], replace(chain_with()[2], signature=bytes(64))]),
        "chain is not valid",
    ),
    "a paper that is none": (changed(lambda d: d.update(consents=[7])), "missing"),
    "a malformed record": (in_paper("record", "AAAA"), "malformed"),
    "a short salt": (in_paper("salt", "AAAA"), "malformed"),
    "another salt": (in_paper("salt", base64.b64encode(bytes(32)).decode()), "not the one"),
    "another notice": (in_paper("notice", "We sell your data."), "another notice"),
    "words that were not said": (in_paper("says", {"purpose": "presence"}), "readable part"),
    "a consent that was never given": (of_chain(chain_with()[:2]), "does not know"),
    "a record of somebody else": (
        file_of(chain_with(), paper(replace(RECORD, account_id=b"x" * 20))),
        "does not know",
    ),
    "a record that was changed afterwards": (
        file_of(chain_with(), paper(replace(RECORD, scope="everybody"))),
        "not the one",
    ),
}


@pytest.mark.parametrize(("data", "why"), BAD.values(), ids=BAD)
def test_a_file_with_one_fault_is_refused_by_name(data: bytes, why: str) -> None:
    with pytest.raises(BadConsentFileError, match=why):
        verify_consents(data, now_ms=NOW_MS)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: replace(body, purpose="profiling"),
        lambda body: replace(body, notice_hash=bytes(32)),
        lambda body: replace(body, expires_ms=None),
    ],
)
def test_a_chain_that_contradicts_its_own_commitment_is_named(
    change: Callable[[ConsentGranted], ConsentGranted],
) -> None:
    entries = chain_with()[:2]
    state = grown(begun(), added(begun(), 1))
    entries.append(entry(state, change(RECORD.granted(SALT))))
    with pytest.raises(BadConsentFileError, match="contradicts"):
        verify_consents(file_of(entries, paper()), now_ms=NOW_MS)


def test_a_file_that_is_too_large_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MAX_FILE_BYTES", 10)
    with pytest.raises(BadConsentFileError, match="too large"):
        verify_consents(file_of(chain_with()), now_ms=NOW_MS)


def test_the_genesis_alone_has_no_consents() -> None:
    assert verify_consents(file_of([genesis()]), now_ms=NOW_MS).consents == ()
