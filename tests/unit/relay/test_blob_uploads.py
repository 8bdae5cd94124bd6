"""How long an upload may take: as long as bytes come, and no longer than was promised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore_protocol.frames import DeletionReason
from e2ecore_protocol.limits import BLOB_UPLOAD_S
from e2ecore_relay.domain import blobs
from tests.support.blob_rules import ALICE, BLOB_ID, HOUR_S, Office, later


@pytest.fixture
def office() -> Office:
    return Office()


def test_an_upload_that_does_not_end_in_time_is_deleted_as_such(office: Office) -> None:
    office.create(ttl_s=2 * BLOB_UPLOAD_S)
    assert office.sweep(later(BLOB_UPLOAD_S - 1)) == []
    assert office.sweep(later(BLOB_UPLOAD_S + HOUR_S)) == [DeletionReason.UNFINISHED]
    office.create(blob_id=b"c" * 16, ttl_s=60)
    assert office.sweep(later(60)) == [DeletionReason.EXPIRED]


def test_an_upload_lives_while_bytes_come_and_no_longer_than_was_promised(office: Office) -> None:
    """Bytes every 20 hours: never gone a day after one, gone with the promise, seldom noted."""
    office.create(ttl_s=100 * HOUR_S)
    noted = 0
    for hours in (0, 1, 20, 40, 60, 80, 99):
        assert office.sweep(later(hours * HOUR_S)) == []
        found = blobs.grown(office.blob, later(hours * HOUR_S))
        if found is not None:
            office.table.prolong(found)
            noted += 1
        until_s = min(hours * HOUR_S + BLOB_UPLOAD_S, 100 * HOUR_S)
        assert not blobs.is_gone(office.blob, later(until_s - 1))
    assert noted == 5
    assert office.blob.due_ms == office.blob.expires_ms
    assert office.sweep(later(100 * HOUR_S)) == [DeletionReason.EXPIRED]


def test_a_share_that_is_destroyed_is_not_prolonged(office: Office) -> None:
    office.create(ttl_s=100 * HOUR_S)
    found = blobs.grown(office.blob, later(20 * HOUR_S))
    assert found is not None
    blobs.recall(office.turn, ALICE.account, BLOB_ID)
    office.table.prolong(found)
    assert office.sweep() == [DeletionReason.RECALLED]


@given(st.lists(st.integers(0, 30 * HOUR_S), max_size=12), st.integers(60, 200 * HOUR_S))
def test_whenever_bytes_come_an_upload_is_kept_for_a_day_and_never_longer_than_an_hour_more(
    pauses: list[int], ttl_s: int
) -> None:
    office, now_s = Office(), 0
    office.create(ttl_s=ttl_s)
    for pause in pauses:
        now_s += pause
        if office.sweep(later(now_s)):
            return
        found = blobs.grown(office.blob, later(now_s))
        if found is not None:
            office.table.prolong(found)
        left_s = (office.blob.due_ms - later(now_s).now_ms) / 1000
        promised_s = (office.blob.expires_ms - later(now_s).now_ms) / 1000
        assert min(BLOB_UPLOAD_S, promised_s) <= left_s <= min(BLOB_UPLOAD_S + HOUR_S, promised_s)
