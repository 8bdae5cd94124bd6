"""What each table module promises, on one real database per test."""

from functools import partial

import pytest

from e2ecore.mls.rows import MemoryRows, RowSource
from e2ecore.storage import (
    account,
    chains,
    conversations,
    inbox,
    intents,
    key_packages,
    members,
    messages,
    mls_rows,
    outbox,
    quarantine,
    settings,
)
from e2ecore.storage.account import AccountRow, AccountState
from e2ecore.storage.chains import ChainAccountRow, ChainEntryRow, Verification
from e2ecore.storage.conversations import LIVE_ORDER, ConversationKind, ConversationState
from e2ecore.storage.database import Database
from e2ecore.storage.errors import ConstraintError
from e2ecore.storage.intents import IntentState
from e2ecore.storage.key_packages import KeyPackageRow, KeyPackageState
from e2ecore.storage.members import NO_LEAF, Role
from e2ecore.storage.messages import MessageState, message_row_id
from e2ecore.storage.tx import Tx
from tests.support.databases import (
    message,
    new_conversation,
    numbered,
    waiting,
)

OWN = AccountRow(
    account_id=numbered(1, 20),
    device_id=numbered(2),
    identity_key=b"i" * 32,
    device_key=b"d" * 32,
    handle="",
    display_name="Alice",
    relay="wss://relay.example",
    state=AccountState.MADE,
    created_ms=5,
)


def test_there_is_one_account_and_it_can_be_changed(database: Database) -> None:
    call = database.writer.call
    assert call(account.load) is None
    call(lambda tx: account.create(tx, OWN))
    assert call(account.load) == OWN
    with pytest.raises(ConstraintError):
        call(lambda tx: account.create(tx, OWN))
    registered = OWN._replace(handle="alice", state=AccountState.REGISTERED)
    call(lambda tx: account.replace(tx, registered))
    assert call(account.load) == registered


@pytest.mark.parametrize(
    "row",
    [
        OWN,
        message(1, 1)._replace(body="secret"),
        waiting(1, 1)._replace(content=b"secret"),
        KeyPackageRow(b"ref", b"secret", 0, 1, 1),
        intents.IntentRow(1, 1, 1, b"secret", 1, 1, b"", b"secret", 0, 0, 0),
    ],
)
def test_rows_with_secrets_or_content_do_not_show_them(row: tuple[object, ...]) -> None:
    assert "secret" not in repr(row)
    assert "iiii" not in repr(row)
    assert "dddd" not in repr(row)


def test_chains_only_grow(database: Database) -> None:
    call = database.writer.call
    who = numbered(1, 20)
    entries = [ChainEntryRow(who, seq, numbered(seq, 32), b"entry %d" % seq) for seq in range(3)]
    call(lambda tx: chains.append(tx, entries))
    assert call(lambda tx: chains.entries(tx, who)) == entries
    assert call(lambda tx: chains.entries(tx, who, 2)) == entries[2:]
    assert call(lambda tx: chains.entries(tx, numbered(2, 20))) == []
    with pytest.raises(ConstraintError):
        call(lambda tx: chains.append(tx, entries[1:2]))


def save_account(row: ChainAccountRow, tx: Tx) -> None:
    chains.save_account(tx, row)


def test_accounts_are_found_by_what_is_known_of_them(database: Database) -> None:
    call = database.writer.call
    alice = ChainAccountRow(numbered(1, 20), "alice", "Alice", 1, numbered(1, 32), 0, b"", 1, 9)
    bob = alice._replace(account_id=numbered(2, 20), handle="bob", contact=0)
    carol = alice._replace(account_id=numbered(3, 20), handle="aaron", verification=1)
    for row in (alice, bob, carol):
        call(partial(save_account, row))
    assert call(lambda tx: chains.account(tx, bob.account_id)) == bob
    assert call(lambda tx: chains.account(tx, numbered(4, 20))) is None
    assert call(chains.accounts) == [alice, bob, carol]
    assert call(chains.contacts) == [carol, alice]
    assert call(chains.changed) == []
    changed = carol._replace(verification=Verification.CHANGED)
    call(lambda tx: chains.save_account(tx, changed))
    assert call(chains.changed) == [carol.account_id]


def test_conversations_are_numbered_and_sorted_by_their_newest_message(database: Database) -> None:
    call = database.writer.call
    one = call(lambda tx: new_conversation(tx, 1))
    two = call(
        lambda tx: conversations.create(
            tx,
            uid=numbered(2),
            kind=ConversationKind.DIRECT,
            state=ConversationState.CREATING,
            peer=numbered(9, 20),
            created_ms=7,
        )
    )
    assert (one.cid, two.cid) == (1, 2)
    assert call(conversations.all_rows) == [two, one]
    assert call(conversations.last_mid) == 0
    busy = one._replace(
        last_mid=12, cursor=5, own_counter=3, next_order=LIVE_ORDER + 4, read_order=7, unread=2
    )
    call(lambda tx: conversations.save_traffic(tx, [busy]))
    assert call(conversations.all_rows) == [busy, two]
    assert call(conversations.last_mid) == 12
    renamed = two._replace(title="Trip", state=ConversationState.ACTIVE, epoch=4, info=b"info")
    call(lambda tx: conversations.save(tx, renamed))
    assert call(lambda tx: conversations.get(tx, 2)) == renamed
    assert call(lambda tx: conversations.by_uid(tx, numbered(2))) == renamed
    assert call(lambda tx: conversations.by_uid(tx, numbered(3))) is None
    with pytest.raises(ConstraintError):
        call(lambda tx: new_conversation(tx, 1))


def test_former_members_are_kept_with_their_counters(database: Database) -> None:
    call = database.writer.call
    rows = [
        members.new_row(1, numbered(1, 20), numbered(n), leaf, Role.MEMBER)
        for n, leaf in ((1, 2), (2, 0), (3, 1))
    ]
    call(lambda tx: members.save(tx, rows))
    gone = rows[0]._replace(leaf=NO_LEAF, receive_counter=41, receive_missing=b"\0\1")
    call(lambda tx: members.save(tx, [gone]))
    assert call(lambda tx: members.current(tx, 1)) == [rows[1], rows[2]]
    assert call(lambda tx: members.all_rows(tx, 1)) == [gone, rows[1], rows[2]]
    assert call(lambda tx: members.get(tx, 1, numbered(1))) == gone
    assert call(lambda tx: members.get(tx, 2, numbered(1))) is None


def test_an_own_message_is_queued_then_accepted_or_failed(database: Database) -> None:
    call = database.writer.call
    rows = [message(1, number, MessageState.QUEUED) for number in range(3)]
    call(lambda tx: messages.insert(tx, rows))
    call(lambda tx: messages.mark_accepted(tx, [(77, rows[0].id)]))
    call(lambda tx: messages.mark_failed(tx, rows[1].id))
    states = [(row.state, row.seq) for row in reversed(call(lambda tx: messages.newest(tx, 1)))]
    assert states == [(MessageState.ACCEPTED, 77), (MessageState.FAILED, 0), (1, 0)]
    assert call(lambda tx: messages.get(tx, rows[2].id)) == rows[2]
    assert call(lambda tx: messages.get(tx, 5)) is None
    assert call(lambda tx: messages.count(tx, 1)) == 3
    assert call(lambda tx: messages.count(tx, 2)) == 0


def test_a_place_in_a_conversation_is_taken_once(database: Database) -> None:
    database.writer.call(lambda tx: messages.insert(tx, [message(1, 1)]))
    with pytest.raises(ConstraintError):
        database.writer.call(lambda tx: messages.insert(tx, [message(1, 1)]))


def test_pages_are_at_most_as_large_as_a_reader_can_hold(database: Database) -> None:
    rows = [message(1, number) for number in range(messages.MAX_PAGE + 5)]
    database.writer.call(lambda tx: messages.insert(tx, rows))
    found = database.readers.read(lambda tx: messages.newest(tx, 1, 10**9))
    assert len(found) == messages.MAX_PAGE


def test_the_outbox_keeps_its_order_and_forgets_what_was_accepted(database: Database) -> None:
    call = database.writer.call
    assert call(outbox.last_oid) == 0
    rows = [waiting(oid, 1, message_row_id(1, oid)) for oid in (1, 2, 3, 4)]
    call(lambda tx: outbox.add(tx, rows))
    assert call(lambda tx: outbox.after(tx, 0, 2)) == rows[:2]
    assert call(lambda tx: outbox.after(tx, 2, 9)) == rows[2:]
    assert call(outbox.last_oid) == 4
    call(lambda tx: outbox.remove(tx, [1, 3]))
    call(lambda tx: outbox.re_encrypted(tx, 2, epoch=9, envelope_id=numbered(99), payload=b"again"))
    call(lambda tx: outbox.postpone(tx, 4, attempts=2, next_ms=500))
    assert call(lambda tx: outbox.get(tx, 1)) is None
    assert call(lambda tx: outbox.get(tx, 2)) == rows[1]._replace(
        epoch=9, envelope_id=numbered(99), payload=b"again"
    )
    assert call(lambda tx: outbox.get(tx, 4)) == rows[3]._replace(attempts=2, next_ms=500)


def test_an_intent_remembers_its_commit_until_that_is_lost_or_done(database: Database) -> None:
    call = database.writer.call
    first = call(lambda tx: intents.add(tx, 1, 2, b"args", 10))
    second = call(lambda tx: intents.add(tx, 2, 3, b"", 11))
    call(
        lambda tx: intents.commit_made(
            tx, first, epoch=5, envelope_id=numbered(6), pending=b"pending"
        )
    )
    made = call(lambda tx: intents.get(tx, first))
    assert made is not None
    assert (made.state, made.epoch, made.pending) == (IntentState.COMMIT_MADE, 5, b"pending")
    call(lambda tx: intents.commit_lost(tx, first, attempts=1, next_ms=99))
    lost = call(lambda tx: intents.get(tx, first))
    assert lost == made._replace(
        state=IntentState.WANTED, epoch=0, envelope_id=b"", pending=b"", attempts=1, next_ms=99
    )
    assert [row.iid for row in call(intents.all_rows)] == [first, second]
    assert [row.iid for row in call(lambda tx: intents.of_conversation(tx, 2))] == [second]
    call(lambda tx: intents.remove(tx, second))
    assert call(lambda tx: intents.get(tx, second)) is None
    assert call(lambda tx: intents.add(tx, 1, 2, b"", 12)) > second, "numbers are not used again"


def test_the_inbox_cursor_only_advances(database: Database) -> None:
    call = database.writer.call
    assert call(inbox.cursor) == 0
    call(lambda tx: inbox.advance(tx, 7))
    call(lambda tx: inbox.advance(tx, 3))
    assert call(inbox.cursor) == 7


def test_the_quarantine_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_QUARANTINED", 3)

    def add(number: int) -> int:
        return database.writer.call(
            lambda tx: quarantine.add(
                tx,
                cid=1,
                seq=number,
                kind=1,
                epoch=2,
                envelope_id=numbered(number),
                payload=b"poison",
                error="DecryptionError",
                created_ms=3,
            )
        )

    for number in range(1, 6):
        last = add(number)
    kept = database.writer.call(quarantine.all_rows)
    assert [row.seq for row in kept] == [3, 4, 5]
    database.writer.call(lambda tx: quarantine.remove(tx, last))
    assert [row.seq for row in database.writer.call(quarantine.all_rows)] == [3, 4]


def test_key_packages_go_from_made_to_used_or_expired(database: Database) -> None:
    call = database.writer.call
    rows = [
        KeyPackageRow(numbered(n, 32), b"bundle", n == 1, KeyPackageState.MADE, n * 100)
        for n in (1, 2, 3)
    ]
    call(lambda tx: key_packages.add(tx, rows))
    call(lambda tx: key_packages.set_state(tx, [rows[0].ref], KeyPackageState.PUBLISHED))
    published = rows[0]._replace(state=KeyPackageState.PUBLISHED)
    assert call(lambda tx: key_packages.in_state(tx, KeyPackageState.PUBLISHED)) == [published]
    assert call(lambda tx: key_packages.in_state(tx, KeyPackageState.MADE)) == rows[1:]
    call(lambda tx: key_packages.remove(tx, rows[1].ref))
    assert call(lambda tx: key_packages.get(tx, rows[1].ref)) is None
    assert call(lambda tx: key_packages.remove_expired(tx, 250)) == 1
    assert call(lambda tx: key_packages.get(tx, rows[2].ref)) == rows[2]


def test_rows_of_a_group_are_read_as_the_mls_package_expects(database: Database) -> None:
    memory = MemoryRows()
    changes: dict[mls_rows.RowKey, bytes | None] = {
        (4, 0, 2): b"two",
        (4, 0, 0): b"zero",
        (6, 1, 0): b"one epoch",
        (6, 2, 0): b"another epoch",
        (4, 0, 9): None,
        (7, 3, 1): b"ratchet",
        (9, 9, 9): None,
    }
    memory.store(changes)
    database.writer.call(lambda tx: mls_rows.apply(tx, 1, changes))
    database.writer.call(lambda tx: mls_rows.apply(tx, 2, {(4, 0, 1): b"another group"}))

    def compare(tx: Tx) -> None:
        rows: RowSource = mls_rows.MlsRows(tx, 1)
        assert rows.get((7, 3, 1)) == b"ratchet"
        assert rows.get((9, 9, 9)) is None
        assert rows.get((4, 0, 2)) == b"two"
        assert rows.get((4, 0, 3)) is None
        assert list(rows.scan(6, 1)) == memory.scan(6, 1)
        assert list(rows.scan(4, 0)) == memory.scan(4, 0)
        assert list(rows.scan(8, 0)) == []

    database.readers.read(compare)
    database.writer.call(lambda tx: mls_rows.apply(tx, 1, {(4, 0, 2): None, (4, 0, 0): b"new"}))
    database.writer.call(lambda tx: mls_rows.apply(tx, 1, {}))
    scanned = database.readers.read(lambda tx: mls_rows.MlsRows(tx, 1).scan(4, 0))
    assert scanned == [((4, 0, 0), b"new")]
    database.writer.call(lambda tx: mls_rows.remove_group(tx, 1))
    assert database.readers.read(lambda tx: mls_rows.MlsRows(tx, 1).scan(4, 0)) == []
    assert database.readers.read(lambda tx: mls_rows.MlsRows(tx, 2).get((4, 0, 1))) is not None


def test_settings_are_put_and_removed(database: Database) -> None:
    call = database.writer.call
    assert call(lambda tx: settings.get(tx, "a")) is None
    call(lambda tx: settings.put(tx, "a", b"1"))
    call(lambda tx: settings.put(tx, "a", b"2"))
    assert call(lambda tx: settings.get(tx, "a")) == b"2"
    call(lambda tx: settings.remove(tx, "a"))
    assert call(lambda tx: settings.get(tx, "a")) is None
