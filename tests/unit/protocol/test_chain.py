"""The account chain: one good chain, and copies with exactly one fault."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore_protocol.chain import (
    MULTI_DEVICE_SYNC,
    AccountClosed,
    AccountState,
    Body,
    ChainError,
    ChainForkError,
    ChainInvalidError,
    Checkpoint,
    ConsentMissingError,
    DeviceAdded,
    DeviceRemoved,
    Entry,
    Genesis,
    RemovalReason,
    UnknownCriticalEntryError,
    account_id_of,
    check_head,
    device_id_of,
    extend,
    is_critical,
    sign_entry,
    start,
)
from e2ecore_protocol.codec import Wire, pack
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_DEVICES
from tests.support.chains import (
    CONSENT_ID,
    IDENTITY,
    NOW_MS,
    WrongSignatureError,
    added,
    device,
    entry,
    genesis,
    granted,
    grown,
    new_account,
    sign,
    verify,
    withdrawn,
)

ACCOUNT = new_account()
FIRST_DEVICE = device_id_of(bytes(device(1).verify_key))


def resigned(wrong: Entry) -> Entry:
    return replace(wrong, signature=sign(IDENTITY, wrong.signed_message()))


def test_a_new_account_has_one_live_device() -> None:
    (only,) = ACCOUNT.live_devices()
    assert only.device_id == FIRST_DEVICE
    assert only.key == bytes(device(1).verify_key)
    assert (only.added_seq, only.added_ms, only.removed_ms) == (1, NOW_MS, None)
    assert ACCOUNT.account_id == account_id_of(genesis())
    assert ACCOUNT.valid_devices(NOW_MS) == (only,)


def test_the_account_id_is_the_start_of_the_hash_of_the_genesis_entry() -> None:
    assert account_id_of(genesis()) == genesis().hash()[:20]


def test_a_checkpoint_with_a_slip_is_none() -> None:
    written = ACCOUNT.checkpoint().encode()
    assert Checkpoint.decode(written) == ACCOUNT.checkpoint()
    for at in range(len(written)):
        slip = bytes((written[at] ^ 1,))
        with pytest.raises(MalformedError):
            Checkpoint.decode(written[:at] + slip + written[at + 1 :])


def test_extending_by_nothing_changes_nothing() -> None:
    assert extend(ACCOUNT, [], verify) is ACCOUNT


def test_entries_survive_encoding() -> None:
    for one in (genesis(), entry(ACCOUNT, granted(expires_ms=NOW_MS + 1))):
        assert Entry.decode(one.encode()) == one


def test_a_later_entry_is_never_older_than_the_head() -> None:
    assert entry(ACCOUNT, granted(), now_ms=5).created_ms == NOW_MS


@pytest.mark.clause("GB42012-8.1.1d")
def test_a_second_device_needs_a_consent_in_force_before_it() -> None:
    with pytest.raises(ConsentMissingError):
        grown(ACCOUNT, added(ACCOUNT, 2))
    allowed = grown(ACCOUNT, granted())
    assert len(grown(allowed, added(allowed, 2)).live_devices()) == 2


@pytest.mark.clause("GB42012-8.1.1d")
@pytest.mark.parametrize(
    "bodies",
    [
        pytest.param([granted("message_backup")], id="for another purpose"),
        pytest.param([granted(), withdrawn()], id="withdrawn"),
        pytest.param([granted(expires_ms=NOW_MS + 1)], id="expired"),
    ],
)
def test_a_consent_that_is_not_in_force_allows_no_second_device(bodies: list[Body]) -> None:
    state = grown(ACCOUNT, *bodies)
    with pytest.raises(ConsentMissingError):
        grown(state, added(state, 2), now_ms=NOW_MS + 1)


def test_replacing_the_only_device_needs_no_consent() -> None:
    state = grown(ACCOUNT, DeviceRemoved(FIRST_DEVICE))
    assert state.live_devices() == ()
    assert len(grown(state, added(state, 2)).live_devices()) == 1


def test_a_removed_device_never_comes_back() -> None:
    state = grown(ACCOUNT, DeviceRemoved(FIRST_DEVICE))
    with pytest.raises(ChainInvalidError, match="used before"):
        grown(state, added(state, 1))


@pytest.mark.clause("GB42012-13.3a-d")
def test_a_consent_is_withdrawn_only_after_the_other_devices_are_removed() -> None:
    state = grown(ACCOUNT, granted())
    state = grown(state, added(state, 2))
    with pytest.raises(ConsentMissingError):
        grown(state, withdrawn())
    second = device_id_of(bytes(device(2).verify_key))
    state = grown(state, DeviceRemoved(second), withdrawn())
    assert not state.has_consent(MULTI_DEVICE_SYNC, NOW_MS)
    assert [one.device_id for one in state.live_devices()] == [FIRST_DEVICE]


def test_another_consent_can_be_withdrawn_with_two_devices() -> None:
    state = grown(ACCOUNT, granted(), granted("message_backup", consent_id=b"d" * 16))
    state = grown(state, added(state, 2), withdrawn(b"d" * 16))
    assert state.has_consent(MULTI_DEVICE_SYNC, NOW_MS)
    assert not state.has_consent("message_backup", NOW_MS)


def test_with_two_consents_one_can_be_withdrawn() -> None:
    state = grown(ACCOUNT, granted(), granted(consent_id=b"d" * 16))
    state = grown(state, added(state, 2), withdrawn())
    assert len(state.valid_devices(NOW_MS)) == 2


def test_a_closed_account_has_no_devices_and_takes_no_entries() -> None:
    closed = grown(ACCOUNT, AccountClosed())
    assert closed.closed
    assert closed.live_devices() == ()
    with pytest.raises(ChainInvalidError, match="closed"):
        grown(closed, granted())


def test_an_account_has_at_most_so_many_devices() -> None:
    state = grown(ACCOUNT, granted())
    for number in range(2, MAX_DEVICES + 1):
        state = grown(state, added(state, number))
    with pytest.raises(ChainInvalidError, match="at most"):
        grown(state, added(state, MAX_DEVICES + 1))


def unknown(kind: int) -> Entry:
    return resigned(replace(entry(ACCOUNT, granted()), kind=kind, body=(1, ("x",))))


def test_an_unknown_entry_that_is_not_critical_is_skipped() -> None:
    skipped = Entry.decode(unknown(100).encode())
    assert not is_critical(100)
    state = extend(ACCOUNT, [skipped], verify)
    assert state.devices == ACCOUNT.devices
    assert state.head_seq == ACCOUNT.head_seq + 1
    assert state.head_hash == skipped.hash()


def test_an_unknown_critical_entry_stops_the_reader() -> None:
    with pytest.raises(UnknownCriticalEntryError):
        extend(ACCOUNT, [Entry.decode(unknown(101).encode())], verify)


GOOD = entry(ACCOUNT, granted())

FAULTS = [
    pytest.param(replace(GOOD, signature=bytes(64)), WrongSignatureError, id="signature"),
    pytest.param(replace(GOOD, created_ms=NOW_MS + 1), WrongSignatureError, id="signed other time"),
    pytest.param(
        resigned(replace(GOOD, account_id=b"x" * 20)), ChainInvalidError, id="other account"
    ),
    pytest.param(resigned(replace(GOOD, seq=9)), ChainInvalidError, id="hole in the numbers"),
    pytest.param(resigned(replace(GOOD, seq=1)), ChainForkError, id="other entry at the head"),
    pytest.param(
        resigned(replace(GOOD, prev_hash=b"x" * 32)), ChainForkError, id="other entry before"
    ),
    pytest.param(
        resigned(replace(GOOD, created_ms=NOW_MS - 1)), ChainInvalidError, id="goes back in time"
    ),
    pytest.param(
        entry(ACCOUNT, Genesis(bytes(IDENTITY.verify_key))), ChainInvalidError, id="second genesis"
    ),
    pytest.param(entry(ACCOUNT, DeviceRemoved(b"x" * 16)), ChainInvalidError, id="no such device"),
    pytest.param(entry(ACCOUNT, withdrawn()), ChainInvalidError, id="no such consent"),
    pytest.param(
        entry(ACCOUNT, granted(expires_ms=NOW_MS)), ChainInvalidError, id="expires at once"
    ),
]


@pytest.mark.parametrize(("wrong", "error"), FAULTS)
def test_an_entry_with_one_fault_is_refused(wrong: Entry, error: type[Exception]) -> None:
    with pytest.raises(error):
        extend(ACCOUNT, [Entry.decode(wrong.encode())], verify)
    assert extend(ACCOUNT, [GOOD], verify).head_seq == 2


def test_a_consent_id_and_a_removal_count_once() -> None:
    state = grown(ACCOUNT, granted())
    with pytest.raises(ChainInvalidError):
        grown(state, granted())
    state = grown(state, withdrawn())
    with pytest.raises(ChainInvalidError):
        grown(state, withdrawn())
    state = grown(state, DeviceRemoved(FIRST_DEVICE))
    with pytest.raises(ChainInvalidError):
        grown(state, DeviceRemoved(FIRST_DEVICE))


def test_nobody_adds_a_device_without_its_key() -> None:
    public = bytes(device(2).verify_key)
    state = grown(ACCOUNT, granted())
    forged = DeviceAdded(public, sign(device(3), state.next_possession_message(public)))
    with pytest.raises(WrongSignatureError):
        grown(state, forged)


def test_a_proof_of_possession_cannot_be_moved_to_another_place() -> None:
    state = grown(ACCOUNT, granted())
    body = added(state, 2)
    later = grown(state, granted("message_backup", consent_id=b"d" * 16))
    with pytest.raises(WrongSignatureError):
        grown(later, body)


def test_the_identity_key_is_no_device_key() -> None:
    state = grown(ACCOUNT, DeviceRemoved(FIRST_DEVICE))
    public = bytes(IDENTITY.verify_key)
    body = DeviceAdded(public, sign(IDENTITY, state.next_possession_message(public)))
    with pytest.raises(ChainInvalidError):
        grown(state, body)


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([], id="nothing"),
        pytest.param([GOOD], id="begins in the middle"),
        pytest.param(
            [
                resigned(
                    replace(genesis(), kind=11, body=()),
                )
            ],
            id="begins with another kind",
        ),
        pytest.param(
            [
                sign_entry(
                    b"a" * 20,
                    1,
                    b"h" * 32,
                    Genesis(bytes(IDENTITY.verify_key)),
                    created_ms=NOW_MS,
                    sign=lambda message: sign(IDENTITY, message),
                )
            ],
            id="genesis with a number",
        ),
    ],
)
def test_a_chain_begins_with_a_genesis_entry(entries: list[Entry]) -> None:
    with pytest.raises(ChainInvalidError, match="begins"):
        start(entries, verify)


def test_a_forged_genesis_is_refused() -> None:
    with pytest.raises(WrongSignatureError):
        start([replace(genesis(), signature=bytes(64))], verify)


def test_a_claimed_head_is_compared() -> None:
    assert check_head(ACCOUNT, 1, ACCOUNT.head_hash) == 0
    assert check_head(ACCOUNT, 5, b"x" * 32) == 4
    assert check_head(ACCOUNT, 0, b"x" * 32) == -1
    with pytest.raises(ChainForkError) as caught:
        check_head(ACCOUNT, 1, b"x" * 32)
    assert (caught.value.account_id, caught.value.seq) == (ACCOUNT.account_id, 1)
    assert isinstance(caught.value, ChainError)


def with_field(place: int, value: Wire) -> Callable[[Entry], bytes]:
    def change(good: Entry) -> bytes:
        fields: list[Wire] = [
            good.version,
            good.account_id,
            good.seq,
            good.prev_hash,
            good.kind,
            good.body,
            good.created_ms,
            good.signature,
        ]
        fields[place] = value
        return pack(tuple(fields))

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(with_field(0, 2), id="version"),
        pytest.param(with_field(1, b""), id="no account id"),
        pytest.param(with_field(2, 4096), id="beyond the longest chain"),
        pytest.param(with_field(2, value=False), id="seq is a boolean"),
        pytest.param(with_field(2, 0), id="first with an account id"),
        pytest.param(with_field(3, b"x"), id="short hash"),
        pytest.param(with_field(4, 0), id="kind"),
        pytest.param(with_field(5, b""), id="body is no array"),
        pytest.param(with_field(5, ()), id="body without fields"),
        pytest.param(with_field(5, (b"c" * 16, "Multi", b"n" * 32, b"m" * 32, None)), id="purpose"),
        pytest.param(with_field(6, -1), id="time"),
        pytest.param(with_field(7, b"s" * 63), id="short signature"),
        pytest.param(lambda _: pack(()), id="nothing"),
        pytest.param(lambda good: good.encode() + bytes(1024), id="too long"),
    ],
)
def test_bytes_with_one_fault_are_malformed(change: Callable[[Entry], bytes]) -> None:
    with pytest.raises(MalformedError):
        Entry.decode(change(GOOD))


def test_consents_know_when_they_are_in_force() -> None:
    state: AccountState = grown(ACCOUNT, granted(expires_ms=NOW_MS + 10))
    consent = state.consents[CONSENT_ID]
    assert consent.is_in_force(NOW_MS + 9)
    assert not consent.is_in_force(NOW_MS + 10)
    assert not replace(consent, withdrawn_ms=NOW_MS).is_in_force(NOW_MS)


def test_the_base_of_bodies_cannot_be_made() -> None:
    with pytest.raises(NotImplementedError):
        Body()


@pytest.mark.parametrize("reason", RemovalReason)
def test_a_removal_says_why_and_the_usual_reason_is_left_out(reason: RemovalReason) -> None:
    removal = DeviceRemoved(FIRST_DEVICE, reason)
    assert DeviceRemoved.from_fields(removal.to_fields()) == removal
    assert len(removal.to_fields()) == (1 if reason is RemovalReason.REMOVED else 2)
    assert grown(ACCOUNT, removal).devices[FIRST_DEVICE].removed_for is reason


def test_only_a_device_that_the_account_moved_away_from_keeps_its_history() -> None:
    assert [one for one in RemovalReason if not one.erases] == [RemovalReason.MOVED]
