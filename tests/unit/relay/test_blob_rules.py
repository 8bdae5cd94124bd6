"""The rules of blobs, on a table in memory: who gets room, who may fetch, what ends one."""

import pytest

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    DeletionReason,
)
from e2ecore_relay.domain import blob_sweep, blobs
from e2ecore_relay.domain.blob_ports import Stage
from e2ecore_relay.domain.blobs import MOST_TTL_S
from e2ecore_relay.domain.clock import BlobTime
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.log import LogKind
from e2ecore_relay.domain.ports import StoredDevice
from tests.support.blob_rules import (
    ALICE,
    BLOB_ID,
    BOB,
    CAROL,
    DAVE,
    NOW_MS,
    ROOMY,
    Office,
    later,
)
from tests.support.blob_table import MemoryBytes


@pytest.fixture
def office() -> Office:
    return Office()


def refusal(caught: pytest.ExceptionInfo[RefusedError]) -> ErrorCode:
    return caught.value.code


@pytest.mark.parametrize("kind", [LogKind.DIRECT, LogKind.GROUP])
def test_a_sender_and_an_operator_may_set_less_and_nobody_more(kind: LogKind) -> None:
    conversation, most = kind.name[:1].lower().encode() * 16, MOST_TTL_S[kind]
    for allowed, asked, given in (
        (most, 60, 60),
        (most, most + 1, most),
        (100, most, 100),
        (100, 60, 60),
        (most * 2, most * 2, most),
    ):
        office = Office(ROOMY._replace(ttl_s=dict.fromkeys(MOST_TTL_S, allowed)))
        made = office.create(conversation=conversation, ttl_s=asked)
        assert made.expires_ms == NOW_MS + given * 1000


def test_a_repeat_is_answered_as_the_first_time_in_any_epoch_and_lets_newcomers_in(
    office: Office,
) -> None:
    first = office.create(ttl_s=60)
    office.complete()
    office.members(b"g" * 16, LogKind.GROUP, ALICE, BOB, CAROL, epoch=9)
    with pytest.raises(RefusedError) as caught:
        office.fetch(CAROL)
    assert refusal(caught) is ErrorCode.UNKNOWN_BLOB
    again = office.create(ttl_s=90, time=later(30))
    assert again.upload_token != first.upload_token
    same = [(one.share, one.expires_ms, one.promise) for one in (first, again)]
    assert same[0] == same[1]
    assert office.fetch(CAROL) == first.share
    assert (office.blob.recipients, office.blob.waiting) == (2, 2)
    assert office.blob.stage is Stage.COMPLETE


@pytest.mark.parametrize(
    ("fields", "sender"),
    [({"size": 11}, ALICE), ({"conversation": b"d" * 16}, ALICE), ({}, BOB)],
)
def test_another_blob_under_a_known_id_is_refused(
    office: Office, fields: dict[str, object], sender: StoredDevice
) -> None:
    office.create()
    with pytest.raises(RefusedError) as caught:
        office.create(sender, **fields)
    assert refusal(caught) is ErrorCode.BLOB_EXISTS


def test_what_ended_is_gone_for_a_repeat_too(office: Office) -> None:
    office.create()
    with pytest.raises(RefusedError) as caught:
        office.create(time=later(60))
    assert refusal(caught) is ErrorCode.BLOB_GONE
    blobs.recall(office.turn, ALICE.account, BLOB_ID)
    with pytest.raises(RefusedError):
        office.create()
    assert office.sweep() == [DeletionReason.RECALLED]
    with pytest.raises(RefusedError) as caught:
        office.create()
    assert refusal(caught) is ErrorCode.BLOB_GONE
    blobs.recall(office.turn, ALICE.account, BLOB_ID)  # said again: harmless


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"max_bytes": 9}, ErrorCode.TOO_LARGE),
        ({"account_bytes": 9}, ErrorCode.QUOTA_EXCEEDED),
        ({"account_blobs": 0}, ErrorCode.QUOTA_EXCEEDED),
        ({"conversation_bytes": 9}, ErrorCode.QUOTA_EXCEEDED),
    ],
)
def test_there_is_no_room_beyond_what_the_operator_allows(
    rules: dict[str, int], code: ErrorCode
) -> None:
    office = Office(ROOMY._replace(**rules))  # type: ignore[arg-type]  # numbers all
    with pytest.raises(RefusedError) as caught:
        office.create()
    assert refusal(caught) is code
    assert office.table.rows == {}


def test_a_quota_counts_until_the_bytes_are_gone() -> None:
    office = Office(ROOMY._replace(account_blobs=1))
    office.create()
    blobs.recall(office.turn, ALICE.account, BLOB_ID)
    with pytest.raises(RefusedError):
        office.create(blob_id=b"c" * 16)
    office.sweep()
    office.create(blob_id=b"c" * 16)


def test_room_is_for_members_of_a_conversation_with_somebody_else(office: Office) -> None:
    office.members(b"i" * 16, LogKind.INBOX, ALICE, BOB)
    office.members(b"a" * 16, LogKind.GROUP, ALICE)
    for sender, conversation, code in (
        (ALICE, b"u" * 16, ErrorCode.UNKNOWN_CONVERSATION),
        (ALICE, b"i" * 16, ErrorCode.UNKNOWN_CONVERSATION),
        (DAVE, b"g" * 16, ErrorCode.NOT_A_MEMBER),
        (ALICE, b"a" * 16, ErrorCode.NO_RECIPIENT),
    ):
        with pytest.raises(RefusedError) as caught:
            office.create(sender, conversation=conversation)
        assert refusal(caught) is code


def test_a_blob_is_fetched_whole_in_time_and_by_who_needs_it(office: Office) -> None:
    with pytest.raises(RefusedError) as caught:
        office.fetch(BOB)
    assert refusal(caught) is ErrorCode.UNKNOWN_BLOB
    office.members(b"g" * 16, LogKind.GROUP, ALICE, BOB, CAROL)
    made = office.create()
    with pytest.raises(RefusedError) as caught:
        office.fetch(BOB)
    assert refusal(caught) is ErrorCode.BLOB_INCOMPLETE
    office.complete()
    assert office.fetch(BOB) == made.share
    with pytest.raises(RefusedError) as caught:
        office.fetch(DAVE)
    assert refusal(caught) is ErrorCode.UNKNOWN_BLOB
    with pytest.raises(RefusedError) as caught:
        office.fetch(BOB, BlobTime(NOW_MS, NOW_MS + 60_000))
    assert refusal(caught) is ErrorCode.BLOB_GONE, "by the later of both clocks"
    assert not office.acknowledge(BOB)
    with pytest.raises(RefusedError) as caught:
        office.fetch(BOB)
    assert refusal(caught) is ErrorCode.BLOB_GONE
    assert office.acknowledge(CAROL)
    assert office.sweep() == [DeletionReason.ALL_FETCHED]
    with pytest.raises(RefusedError) as caught:
        office.fetch(CAROL)
    assert refusal(caught) is ErrorCode.BLOB_GONE


def test_acknowledgements_are_signed_and_count_once(office: Office) -> None:
    office.create()
    with pytest.raises(RefusedError) as caught:
        office.acknowledge(BOB, forged=True)
    assert refusal(caught) is ErrorCode.BAD_SIGNATURE
    with pytest.raises(RefusedError) as caught:
        office.acknowledge(DAVE)
    assert refusal(caught) is ErrorCode.UNKNOWN_BLOB
    assert not office.acknowledge(BOB), "the upload is not whole yet"
    assert not office.acknowledge(BOB)
    assert office.complete().stage is Stage.DOOMED, "nobody waits for it"
    assert not office.acknowledge(BOB)
    assert not blobs.completed(office.table, BLOB_ID)
    assert office.sweep() == [DeletionReason.ALL_FETCHED]
    assert not office.acknowledge(DAVE), "it is gone; nobody learns more"
    assert not blobs.completed(office.table, BLOB_ID)


def test_only_the_senders_account_recalls(office: Office) -> None:
    with pytest.raises(RefusedError) as caught:
        blobs.recall(office.turn, ALICE.account, BLOB_ID)
    assert refusal(caught) is ErrorCode.UNKNOWN_BLOB
    office.create()
    with pytest.raises(RefusedError) as caught:
        blobs.recall(office.turn, BOB.account, BLOB_ID)
    assert refusal(caught) is ErrorCode.UNKNOWN_BLOB
    assert office.blob.waiting == 1
    blobs.recall(office.turn, ALICE.account, BLOB_ID)
    assert office.blob.stage is Stage.DOOMED


def test_who_leaves_is_not_waited_for_and_a_closed_account_leaves_nothing(office: Office) -> None:
    office.create()
    blobs.device_left(office.turn.ledger, BOB.device, None)
    assert office.blob.stage is Stage.UPLOADING, "it ends when it is whole"
    assert office.complete().reason == DeletionReason.ALL_FETCHED
    office.create(blob_id=b"c" * 16)
    blobs.completed(office.table, b"c" * 16)
    blobs.device_left(office.turn.ledger, BOB.device, ord("g"))
    office.create(blob_id=b"d" * 16)
    blobs.account_closed(office.turn.ledger, ALICE.account)
    reasons = sorted(office.sweep())
    assert reasons == [
        DeletionReason.ALL_FETCHED,
        DeletionReason.ALL_FETCHED,
        DeletionReason.ACCOUNT_ERASED,
    ]
    assert office.table.rows == {}


def test_a_complete_blob_that_is_completed_again_stays_as_it_was(office: Office) -> None:
    office.create()
    assert office.complete() == office.complete()


def test_states_are_for_the_senders_account_and_for_recipients(office: Office) -> None:
    office.create()
    ids = [BLOB_ID]
    for asker, seen in ((ALICE, 1), (BOB, 1), (DAVE, 0)):
        assert len(blobs.states(office.turn.ledger, 1, asker, ids).live) == seen
    blobs.recall(office.turn, ALICE.account, BLOB_ID)
    found = blobs.states(office.turn.ledger, 1, ALICE, ids)
    assert (found.live, found.deleted) == ((), ()), "its end has begun and is not signed yet"
    office.sweep()
    assert len(blobs.states(office.turn.ledger, 1, DAVE, ids).deleted) == 1


def test_a_device_that_is_gone_is_told_nothing_and_the_blob_ends_all_the_same(
    office: Office,
) -> None:
    office.people.live = False
    office.create()
    assert office.sweep(later(60)) == [DeletionReason.EXPIRED]
    assert office.posted == 0
    assert office.sweep(later(60)) == []


def test_bytes_and_rows_that_lost_each_other_are_found(office: Office) -> None:
    office.create()
    blob = office.complete()
    store = MemoryBytes()
    store.sizes = {BLOB_ID: 10, b"o" * 16: 3}
    assert blob_sweep.orphans(office.table, list(store.names())) == [b"o" * 16]
    assert blob_sweep.lost(store, [blob]) == []
    store.sizes[BLOB_ID] = 9
    lost = blob_sweep.lost(store, [blob])
    blob_sweep.give_up(office.table, lost)
    blob_sweep.give_up(office.table, lost)  # found again by a walk that looked before
    assert office.sweep() == [DeletionReason.LOST]


def test_a_token_as_shown_finds_its_grant_and_what_is_stored_is_its_hash(office: Office) -> None:
    made = office.create()
    grant = blobs.usable(office.turn.ledger, made.upload_token)
    assert grant is not None
    assert grant.is_upload
    assert blobs.usable(office.turn.ledger, blobs.token_hash(made.upload_token)) is None
