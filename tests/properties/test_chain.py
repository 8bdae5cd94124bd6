"""Whatever is appended to an account chain, its promises hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore_protocol.chain import (
    MULTI_DEVICE_SYNC,
    AccountClosed,
    AccountState,
    Body,
    ChainError,
    ConsentGranted,
    ConsentWithdrawn,
    DeviceAdded,
    DeviceRemoved,
    Entry,
    RemovalReason,
    device_id_of,
    extend,
    genesis_entry,
    start,
)
from e2ecore_protocol.limits import MAX_DEVICES

DAY_MS = 86_400_000
keys = st.integers(0, 8).map(lambda number: bytes([number]) * 32)
consent_ids = st.integers(0, 2).map(lambda number: bytes([number]) * 16)
bodies = st.one_of(
    st.builds(DeviceAdded, keys, st.just(bytes(64))),
    st.builds(DeviceAdded, keys, st.just(bytes(64))),
    st.builds(DeviceRemoved, keys.map(device_id_of), st.sampled_from(RemovalReason)),
    st.builds(
        ConsentGranted,
        consent_ids,
        st.sampled_from([MULTI_DEVICE_SYNC, MULTI_DEVICE_SYNC, "message_backup"]),
        st.just(bytes(32)),
        st.just(bytes(32)),
        st.none() | st.integers(1, 30).map(lambda days: days * DAY_MS),
    ),
    st.builds(ConsentWithdrawn, consent_ids),
)
steps = st.lists(st.tuples(bodies, st.integers(0, 3)), max_size=30)


def no_signature(_: bytes) -> bytes:
    return bytes(64)


def trust(_key: bytes, _message: bytes, _signature: bytes) -> None:
    """Signatures are tested elsewhere."""


def begun() -> AccountState:
    genesis = genesis_entry(b"i" * 32, created_ms=0, sign=no_signature)
    return start([genesis], trust)


def check(state: AccountState) -> None:
    live = state.live_devices()
    assert len(live) <= MAX_DEVICES
    assert [one.added_seq for one in live] == sorted(one.added_seq for one in live)
    assert set(state.valid_devices(state.head_ms)) <= set(live)
    if len(state.valid_devices(state.head_ms)) > 1:
        assert state.has_consent(MULTI_DEVICE_SYNC, state.head_ms)
    assert len(state.valid_devices(1 << 60)) == min(
        len(live), len(live) if state.has_consent(MULTI_DEVICE_SYNC, 1 << 60) else 1
    )


def apply_all(taken: list[tuple[Body, int]]) -> tuple[AccountState, list[Entry]]:
    """Apply what is allowed; check the promises after each entry."""
    state, entries, now_ms = begun(), [], 0
    for body, days in taken:
        now_ms += days * DAY_MS
        entry = state.next_entry(body, now_ms=now_ms, sign=no_signature)
        before = state
        try:
            state = extend(state, [entry], trust)
        except ChainError:
            assert state is before
            continue
        entries.append(entry)
        check(state)
    return state, entries


@given(steps)
def test_no_sequence_of_entries_gives_a_second_device_without_consent(
    taken: list[tuple[Body, int]],
) -> None:
    apply_all(taken)


@given(steps, st.integers(0, 30))
def test_a_chain_means_the_same_read_at_once_or_in_parts(
    taken: list[tuple[Body, int]], cut: int
) -> None:
    state, entries = apply_all(taken)
    decoded = [Entry.decode(entry.encode()) for entry in entries]
    first = extend(begun(), decoded[:cut], trust)
    assert extend(first, decoded[cut:], trust) == state == extend(begun(), decoded, trust)


@given(steps, st.data())
def test_no_entry_can_be_left_out_or_exchanged(
    taken: list[tuple[Body, int]], data: st.DataObject
) -> None:
    _, entries = apply_all(taken)
    if len(entries) < 2:
        return
    place = data.draw(st.integers(0, len(entries) - 2))
    with pytest.raises(ChainError):
        extend(begun(), entries[:place] + entries[place + 1 :], trust)
    swapped = [*entries[:place], entries[place + 1], entries[place], *entries[place + 2 :]]
    with pytest.raises(ChainError):
        extend(begun(), swapped, trust)


@given(steps)
def test_nothing_follows_the_end(taken: list[tuple[Body, int]]) -> None:
    state, _ = apply_all(taken)
    closed = state.next_entry(AccountClosed(), now_ms=0, sign=no_signature)
    state = extend(state, [closed], trust)
    after = state.next_entry(ConsentWithdrawn(bytes(16)), now_ms=0, sign=no_signature)
    with pytest.raises(ChainError):
        extend(state, [after], trust)
