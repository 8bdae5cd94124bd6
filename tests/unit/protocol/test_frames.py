"""Frames: the rules of each that a type cannot say."""

from collections.abc import Callable

import pytest

from e2ecore_protocol import limits
from e2ecore_protocol.codec import Wire, pack
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import CODES, ErrorCode, MalformedError, NoCommonVersionError
from e2ecore_protocol.frames import (
    CLIENT_FRAMES,
    INBOX,
    NO_ENVELOPE,
    SERVER_FRAMES,
    Accepted,
    Ack,
    AcknowledgedLog,
    CaughtUp,
    Commit,
    Deliver,
    Delivery,
    DeviceAddress,
    Envelope,
    EnvelopeKind,
    Failed,
    FetchHeads,
    Gap,
    GoAway,
    KeyPackagesLow,
    LookupHandle,
    Ok,
    Refused,
    RouteChange,
    Submit,
    Submitted,
    authentication_message,
    decode_client_frame,
    decode_server_frame,
    direct_conversation_id,
    group_conversation_id,
    is_group_conversation,
    is_self_conversation,
    make_envelope_id,
    self_conversation_id,
)
from e2ecore_protocol.versions import PROTOCOL_VERSION, choose_version

CONVERSATION, ENVELOPE_ID = b"c" * 16, b"e" * 16
GOOD = Envelope(CONVERSATION, ENVELOPE_ID, EnvelopeKind.APPLICATION, 3, 60, b"x")
DELIVERED = Delivery(
    CONVERSATION, 5, EnvelopeKind.APPLICATION, 3, ENVELOPE_ID, 1_760_000_000_000, b"x", None
)


def submit(*envelopes: object) -> bytes:
    return pack((Submit.TYPE, 1, envelopes))  # type: ignore[arg-type]  # often wrong on purpose


def deliver(*deliveries: object) -> bytes:
    return pack((Deliver.TYPE, deliveries))  # type: ignore[arg-type]  # often wrong on purpose


def test_type_numbers_tell_the_two_sides_apart() -> None:
    assert all(1 <= number <= 63 for number in CLIENT_FRAMES)
    assert all(64 <= number <= 127 for number in SERVER_FRAMES)
    with pytest.raises(MalformedError):
        decode_client_frame(CaughtUp().encode())
    with pytest.raises(MalformedError):
        decode_server_frame(submit(GOOD))


def test_a_frame_of_another_type_is_malformed() -> None:
    with pytest.raises(MalformedError):
        Ok.decode(CaughtUp().encode())
    with pytest.raises(MalformedError):
        Ok.decode(b"\x90")


@pytest.mark.parametrize(
    "envelope",
    [
        pytest.param(GOOD._replace(conversation=b"c"), id="conversation"),
        pytest.param(GOOD._replace(envelope_id=b"e"), id="envelope id"),
        pytest.param(GOOD._replace(kind=EnvelopeKind.COMMIT), id="commit"),
        pytest.param(GOOD._replace(kind=EnvelopeKind.NOTICE), id="notice"),
        pytest.param(GOOD._replace(epoch=-1), id="epoch"),
        pytest.param(GOOD._replace(epoch=2**63), id="large epoch"),
        pytest.param(GOOD._replace(lifetime_s=0), id="no lifetime"),
        pytest.param(
            GOOD._replace(lifetime_s=limits.MAX_ENVELOPE_LIFETIME_S + 1), id="long lifetime"
        ),
        pytest.param(GOOD._replace(payload=b""), id="no payload"),
        pytest.param(GOOD._replace(payload=bytes(limits.MAX_ENVELOPE_BYTES + 1)), id="too large"),
        pytest.param((), id="no fields"),
        pytest.param((*GOOD, 1), id="a field more"),
        pytest.param(7, id="no array"),
        pytest.param(b"sixsix", id="six bytes"),
    ],
)
def test_a_submit_with_one_wrong_envelope_is_malformed(envelope: object) -> None:
    with pytest.raises(MalformedError):
        decode_client_frame(submit(GOOD, envelope))
    assert decode_client_frame(submit(GOOD)) == Submit(1, (GOOD,))


def test_a_batch_is_bounded_in_number_and_in_bytes() -> None:
    most = Submit(1, (GOOD,) * limits.MAX_BATCH_ENVELOPES)
    assert decode_client_frame(most.encode()) == most
    half = GOOD._replace(payload=bytes(limits.MAX_BATCH_BYTES // 2))
    full = Submit(1, (half, half))
    assert decode_client_frame(full.encode()) == full
    alone = Submit(1, (GOOD._replace(payload=bytes(limits.MAX_ENVELOPE_BYTES)),))
    assert decode_client_frame(alone.encode()) == alone
    for wrong in (
        Submit(1, (GOOD,) * (limits.MAX_BATCH_ENVELOPES + 1)),
        Submit(1, (half, half, GOOD)),
        Submit(1, ()),
    ):
        with pytest.raises(MalformedError):
            decode_client_frame(wrong.encode())


ROUTE = RouteChange((), (), DeviceAddress(bytes(20), bytes(16)))
EXTRAS = [
    DELIVERED,
    DELIVERED._replace(kind=EnvelopeKind.PROPOSAL),
    DELIVERED._replace(kind=EnvelopeKind.READD_REQUEST),
    DELIVERED._replace(kind=EnvelopeKind.COMMIT, extra=ROUTE),
    DELIVERED._replace(
        kind=EnvelopeKind.COMMIT,
        payload=bytes(limits.MAX_COMMIT_BYTES),
        extra=ROUTE,
    ),
    DELIVERED._replace(kind=EnvelopeKind.WELCOME, log_id=INBOX, extra=CONVERSATION),
    DELIVERED._replace(kind=EnvelopeKind.NOTICE, log_id=INBOX),
    Delivery(CONVERSATION, 5, EnvelopeKind.GAP, 0, NO_ENVELOPE, 9, b"", Gap(3, 5)),
    Delivery(INBOX, 5, EnvelopeKind.GAP, 0, NO_ENVELOPE, 9, b"", Gap(5, 5)),
]


@pytest.mark.parametrize("delivery", EXTRAS, ids=lambda one: EnvelopeKind(one.kind).name)
def test_every_kind_is_delivered_with_its_extra(delivery: Delivery) -> None:
    frame = decode_server_frame(Deliver((delivery,)).encode())
    assert frame == Deliver((delivery,))
    assert isinstance(frame, Deliver)
    assert type(frame.deliveries[0].extra) is type(delivery.extra)


GAP = EXTRAS[-2]


@pytest.mark.parametrize(
    "delivery",
    [
        pytest.param(DELIVERED._replace(log_id=b"c"), id="log"),
        pytest.param(DELIVERED._replace(log_id=INBOX), id="application in the inbox"),
        pytest.param(DELIVERED._replace(seq=0), id="seq 0"),
        pytest.param(DELIVERED._replace(kind=8), id="unknown kind"),
        pytest.param(DELIVERED._replace(epoch=-1), id="epoch"),
        pytest.param(DELIVERED._replace(envelope_id=b""), id="envelope id"),
        pytest.param(DELIVERED._replace(time_ms=-1), id="time"),
        pytest.param(DELIVERED._replace(payload=b""), id="no payload"),
        pytest.param(DELIVERED._replace(extra=b"x"), id="extra"),
        pytest.param(DELIVERED._replace(kind=EnvelopeKind.COMMIT), id="commit without route"),
        pytest.param(
            DELIVERED._replace(kind=EnvelopeKind.WELCOME, extra=CONVERSATION),
            id="welcome, no inbox",
        ),
        pytest.param(
            DELIVERED._replace(kind=EnvelopeKind.WELCOME, log_id=INBOX), id="welcome to nowhere"
        ),
        pytest.param(DELIVERED._replace(kind=EnvelopeKind.NOTICE), id="notice, no inbox"),
        pytest.param(GAP._replace(payload=b"x"), id="gap with payload"),
        pytest.param(GAP._replace(seq=6), id="gap that ends elsewhere"),
        pytest.param(GAP._replace(extra=Gap(6, 5)), id="gap backwards"),
        pytest.param(GAP._replace(extra=None), id="gap of nothing"),
        pytest.param(GAP._replace(epoch=1), id="gap with an epoch"),
        pytest.param(GAP._replace(envelope_id=ENVELOPE_ID), id="gap with an envelope"),
        pytest.param((*DELIVERED, 1), id="a field more"),
        pytest.param(None, id="no array"),
    ],
)
def test_a_wrong_delivery_is_malformed(delivery: object) -> None:
    with pytest.raises(MalformedError):
        decode_server_frame(deliver(DELIVERED, delivery))


def test_deliveries_are_bounded_in_bytes_together() -> None:
    half = DELIVERED._replace(payload=bytes(limits.MAX_BATCH_BYTES // 2))
    decode_server_frame(deliver(half, half))
    with pytest.raises(MalformedError):
        decode_server_frame(deliver(half, half, DELIVERED))


@pytest.mark.parametrize(
    "wire",
    [
        (Submit.TYPE,),
        (Submit.TYPE, 1),
        (Submit.TYPE, 1, (), 1),
        (Submit.TYPE, 2**32, (GOOD,)),
        (Submit.TYPE, True, (GOOD,)),
        (Ack.TYPE,),
        (Ack.TYPE, ()),
        (Ack.TYPE, ((CONVERSATION, 0),)),
        (Ack.TYPE, ((b"c", 1),)),
        (Ack.TYPE, ((CONVERSATION, 1, 1),)),
        (Ack.TYPE, (1,)),
        (Ack.TYPE, ((CONVERSATION, 1),) * (limits.MAX_ACKNOWLEDGED_LOGS + 1)),
        (FetchHeads.TYPE, 1, ()),
        (LookupHandle.TYPE, 1, "No"),
        (LookupHandle.TYPE, 1, "al"),
        (LookupHandle.TYPE, 1, "1al"),
        (LookupHandle.TYPE, 1, "a" * 33),
        (LookupHandle.TYPE, 1, "alice\n"),
        (0,),
        (),
    ],
)
def test_a_wrong_client_frame_is_malformed(wire: tuple[Wire, ...]) -> None:
    with pytest.raises(MalformedError):
        decode_client_frame(pack(wire))


@pytest.mark.parametrize(
    "wire",
    [
        (Submitted.TYPE, 1, ()),
        (Submitted.TYPE, 1, 5),
        (Submitted.TYPE, 1, ((0, 5),)),
        (Submitted.TYPE, 1, ((1, -5),)),
        (Submitted.TYPE, 1, (("nonsense", 0, None),)),
        (Submitted.TYPE, 1, ((b"internal", 0, None),)),
        (Submitted.TYPE, 1, (7,)),
        (Deliver.TYPE,),
        (Deliver.TYPE, 1, 2),
        (Failed.TYPE, 1, "internal", "x" * 513, 0, None),
        (Failed.TYPE, 1, "internal", "\u00fc" * 257, 0, None),
        (Failed.TYPE, 1, "internal", "", 0, b"short"),
        (Failed.TYPE, 1, "internal", "", limits.MAX_RETRY_AFTER_MS + 1, None),
        (GoAway.TYPE, "unheard_of", 0),
        (64, 0, 1, "relay", bytes(32), 0),
    ],
)
def test_a_wrong_server_frame_is_malformed(wire: tuple[Wire, ...]) -> None:
    with pytest.raises(MalformedError):
        decode_server_frame(pack(wire))


def test_results_are_accepted_or_refused() -> None:
    results = (Accepted(5, 9), Refused(ErrorCode.STALE_EPOCH, 0, 7))
    frame = decode_server_frame(Submitted(1, results).encode())
    assert isinstance(frame, Submitted)
    assert [type(result) for result in frame.results] == [Accepted, Refused]
    assert frame.results == results


def test_acknowledgements_name_logs() -> None:
    ack = Ack((AcknowledgedLog(INBOX, 1), AcknowledgedLog(CONVERSATION, 9)))
    assert decode_client_frame(ack.encode()) == ack


def test_the_largest_commit_fits_a_frame() -> None:
    devices = tuple((index.to_bytes(20), index.to_bytes(16)) for index in range(2000))
    frame = pack(
        (
            Commit.TYPE,
            2**32 - 1,
            CONVERSATION,
            ENVELOPE_ID,
            limits.MAX_INTEGER,
            bytes(limits.MAX_COMMIT_BYTES),
            2,
            devices,
            devices,
            bytes(limits.MAX_WELCOME_BYTES),
        )
    )
    assert len(frame) <= limits.MAX_FRAME_BYTES
    assert isinstance(decode_client_frame(frame), Commit)


def test_the_longest_list_of_conversations_fits_a_frame() -> None:
    states = ((CONVERSATION, 2, 2**63 - 1, 2**63 - 1, 2**63 - 1),) * limits.MAX_CONVERSATIONS
    assert decode_server_frame(pack((74, 1, states))).TYPE == 74


def test_before_authentication_frames_are_small() -> None:
    with pytest.raises(MalformedError):
        decode_client_frame(submit(GOOD._replace(payload=bytes(70_000))), 65_536)


def test_direct_conversations_have_one_id_for_both() -> None:
    one, other = b"\x01" * 20, b"\x02" * 20
    assert direct_conversation_id(one, other, 0) == direct_conversation_id(other, one, 0)
    assert direct_conversation_id(one, other, 0) != direct_conversation_id(one, other, 1)


@pytest.mark.parametrize("attempt", range(limits.MAX_DIRECT_ATTEMPT + 1))
def test_the_id_of_a_conversation_says_its_kind(attempt: int) -> None:
    direct = direct_conversation_id(b"\x01" * 20, b"\x02" * 20, attempt)
    assert not is_group_conversation(direct)
    assert is_group_conversation(group_conversation_id(direct))
    assert group_conversation_id(direct)[1:] == direct[1:]


def test_an_account_has_its_own_ids_for_its_own_devices() -> None:
    one, other = b"\x01" * 20, b"\x02" * 20
    for attempt in range(limits.MAX_DIRECT_ATTEMPT + 1):
        uid = self_conversation_id(one, attempt)
        assert is_self_conversation(uid, one)
        assert not is_self_conversation(uid, other)
        assert not is_group_conversation(uid)
    assert not is_self_conversation(self_conversation_id(one, limits.MAX_DIRECT_ATTEMPT + 1), one)


def test_envelope_ids_sort_by_time() -> None:
    assert make_envelope_id(1, b"\xff" * 10) < make_envelope_id(2, bytes(10))
    assert len(make_envelope_id(1_760_000_000_000, bytes(10))) == limits.ENVELOPE_ID_BYTES


@pytest.mark.clause("NPS-5.2.1.4")
def test_what_a_device_signs_depends_on_every_part() -> None:
    parts = (1, "relay", b"n" * 32, b"a" * 20, b"d" * 16)
    messages = {
        authentication_message(*parts),
        authentication_message(2, *parts[1:]),
        authentication_message(1, "other", *parts[2:]),
        authentication_message(1, "relay", b"m" * 32, *parts[3:]),
        authentication_message(1, "relay", b"n" * 32, b"b" * 20, b"d" * 16),
        authentication_message(1, "relay", b"n" * 32, b"a" * 20, b"e" * 16),
    }
    assert len(messages) == 6


def test_notices_survive_encoding() -> None:
    assert KeyPackagesLow.decode(KeyPackagesLow(3).encode()) == KeyPackagesLow(3)


def test_every_code_has_a_meaning() -> None:
    assert set(CODES) == set(ErrorCode)
    assert ErrorCode.RATE_LIMITED.retry
    assert not ErrorCode.MALFORMED.retry
    assert ErrorCode.HANDLE_TAKEN.meaning.startswith("Somebody else")


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 9)])
def test_the_newest_common_version_is_chosen(low: int, high: int) -> None:
    assert choose_version(low, high) == PROTOCOL_VERSION


@pytest.mark.parametrize(("low", "high"), [(2, 9), (0, 0)])
def test_without_a_common_version_there_is_none(low: int, high: int) -> None:
    with pytest.raises(NoCommonVersionError):
        choose_version(low, high)


@pytest.mark.parametrize("make", [Declared])
def test_bases_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(NotImplementedError):
        make()
