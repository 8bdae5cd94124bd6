"""Each message key is used once, in a window, and costs one small row."""

from collections.abc import Callable

import pytest

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.errors import CorruptStateError
from e2ecore.mls import rows
from e2ecore.mls.errors import (
    DuplicateMessageError,
    GenerationExhaustedError,
    GenerationTooFarError,
    GenerationTooOldError,
)
from e2ecore.mls.rows import MemoryRows, Rows
from e2ecore.mls.secret_tree import (
    APPLICATION,
    HANDSHAKE,
    MAX_GENERATION,
    WINDOW_BACK,
    WINDOW_FORWARD,
    Ratchet,
    SecretTree,
)

EPOCH = 3
SUITE = SUITES[3]


def new_tree(leaves: int = 8, store: Rows | None = None) -> SecretTree:
    tree = SecretTree(SUITE, EPOCH, leaves, store or Rows())
    tree.start(bytes(range(32)))
    return tree


def use(tree: SecretTree, generation: int, leaf: int = 2) -> tuple[bytes, bytes]:
    step = tree.step(leaf, APPLICATION, generation)
    tree.consume(step)
    return step.key, step.nonce


@pytest.mark.spec("RFC 9420 §9.2 (Deletion Schedule)")
def test_key_is_there_once() -> None:
    tree = new_tree()
    use(tree, 0)
    with pytest.raises(DuplicateMessageError):
        tree.step(2, APPLICATION, 0)


@pytest.mark.spec("RFC 9420 §9.2 (Deletion Schedule)")
def test_looking_at_a_key_changes_nothing() -> None:
    store = Rows()
    tree = new_tree(store=store)
    store.take_changes()
    for generation in (0, 3, WINDOW_FORWARD):
        first, second = (tree.step(2, APPLICATION, generation) for _ in range(2))
        assert (first.key, first.nonce) == (second.key, second.nonce)
    assert store.take_changes() == {}


@pytest.mark.spec("RFC 9420 §14 (Sequencing of State Changes)")
def test_keys_do_not_depend_on_the_order_of_arrival() -> None:
    ordered, shuffled = new_tree(), new_tree()
    expected = {generation: use(ordered, generation) for generation in range(6)}
    assert {generation: use(shuffled, generation) for generation in (5, 0, 3, 1, 4, 2)} == expected


@pytest.mark.spec("RFC 9420 §15.3 (Delayed and Reordered Application Messages)")
def test_window_reaches_five_back_and_no_further() -> None:
    tree = new_tree()
    use(tree, 20)
    use(tree, 20 - WINDOW_BACK)
    with pytest.raises(GenerationTooOldError):
        tree.step(2, APPLICATION, 20 - WINDOW_BACK - 1)


def test_skipped_keys_are_dropped_when_the_window_moves_on() -> None:
    tree = new_tree()
    use(tree, 1)
    for generation in range(2, 1 + WINDOW_BACK):
        use(tree, generation)
    assert tree.step(2, APPLICATION, 0).generation == 0
    use(tree, 1 + WINDOW_BACK)
    with pytest.raises(GenerationTooOldError):
        tree.step(2, APPLICATION, 0)
    with pytest.raises(DuplicateMessageError):
        tree.step(2, APPLICATION, 1)


@pytest.mark.spec("RFC 9420 §15.3 (Delayed and Reordered Application Messages)")
def test_jump_is_bounded_before_anything_is_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = new_tree()
    use(tree, 0)
    use(tree, 1 + WINDOW_FORWARD)

    def refuse(*_: object) -> bytes:
        raise AssertionError("derived beyond the window")

    monkeypatch.setattr(Ratchet, "keys", refuse)
    monkeypatch.setattr(Ratchet, "advance", refuse)
    for generation in (2 + WINDOW_FORWARD + WINDOW_FORWARD + 1, MAX_GENERATION):
        with pytest.raises(GenerationTooFarError):
            tree.step(2, APPLICATION, generation)


@pytest.mark.parametrize("code", sorted(SUITES))
def test_one_message_writes_one_row_of_at_most_300_bytes(code: int) -> None:
    suite, store = SUITES[code], Rows()
    tree = SecretTree(suite, EPOCH, 1024, store)
    tree.start(bytes(32))
    tree.consume(tree.step(700, APPLICATION, 0))
    store.take_changes()
    for generation in (7, 14, 13, 15):
        tree.consume(tree.step(700, APPLICATION, generation))
        ((key, value),) = store.take_changes().items()
        assert key == (rows.RATCHET, EPOCH, 1401)
        assert value is not None
        assert len(value) <= 300


@pytest.mark.spec("RFC 9420 §9.2 (Deletion Schedule)")
@pytest.mark.parametrize("leaves", [1, 2, 8, 64])
def test_first_use_of_a_leaf_deletes_everything_above_it(leaves: int) -> None:
    store, disk = Rows(), MemoryRows()
    tree = new_tree(leaves, store)
    disk.store(store.take_changes())
    assert len(disk.rows) == 1
    tree.consume(tree.step(leaves - 1, HANDSHAKE, 0))
    disk.store(store.take_changes())
    kinds = sorted(kind for kind, _, _ in disk.rows)
    assert kinds == [rows.SECRET_NODE] * (leaves.bit_length() - 1) + [rows.RATCHET] * 2
    seen = [use(tree, 0, leaf) for leaf in range(leaves)]
    assert len(set(seen)) == leaves
    disk.store(store.take_changes())
    assert {kind for kind, _, _ in disk.rows} == {rows.RATCHET}


def test_reloaded_tree_goes_on_where_it_stopped() -> None:
    store, disk = Rows(), MemoryRows()
    tree, twin = new_tree(store=store), new_tree()
    for generation in (3, 1):
        use(tree, generation)
        use(twin, generation)
    disk.store(store.take_changes())
    again = SecretTree(SUITE, EPOCH, 8, Rows(disk))
    for generation in (0, 2, 4, 9):
        assert use(again, generation) == use(twin, generation)
    for generation in (3, 1, 0):
        with pytest.raises(DuplicateMessageError):
            again.step(2, APPLICATION, generation)
    assert use(again, 0, leaf=5) == use(twin, 0, leaf=5)


@pytest.mark.spec("RFC 9420 §9.1 (Encryption Keys)")
def test_own_generations_are_never_reused() -> None:
    store, disk = Rows(), MemoryRows()
    tree = new_tree(store=store)
    seen = set()
    for _ in range(3):
        for _ in range(3):
            step = tree.next_step(2, APPLICATION)
            tree.consume(step)
            seen.add((step.key, step.nonce))
        disk.store(store.take_changes())
        store = Rows(disk)
        tree = SecretTree(SUITE, EPOCH, 8, store)
    assert len(seen) == 9


def test_last_generation_is_never_used() -> None:
    store = Rows()
    ratchet = Ratchet(SUITE, bytes(32))
    ratchet.next = MAX_GENERATION
    store.put((rows.RATCHET, EPOCH, 1), ratchet.encode())
    with pytest.raises(GenerationExhaustedError):
        SecretTree(SUITE, EPOCH, 1, store).next_step(0, APPLICATION)


@pytest.mark.parametrize("change", [lambda row: row[:-1], lambda row: row + b"\0", lambda _: b""])
def test_damaged_ratchet_row_is_reported(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(CorruptStateError):
        Ratchet.decode(SUITE, change(Ratchet(SUITE, bytes(32)).encode()))


def test_missing_rows_are_reported() -> None:
    with pytest.raises(CorruptStateError):
        SecretTree(SUITE, EPOCH, 4, Rows()).step(1, APPLICATION, 0)


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_ratchet_row_decodes_to_what_was_encoded(suite: CipherSuite) -> None:
    ratchet = Ratchet(suite, bytes(32))
    ratchet.jump(9)
    twin = Ratchet.decode(suite, ratchet.encode())
    assert twin.encode() == ratchet.encode()
    assert twin.skipped == ratchet.skipped
