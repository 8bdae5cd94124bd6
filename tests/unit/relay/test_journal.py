from pathlib import Path

from e2ecore_protocol.frames import ConversationKind
from e2ecore_relay.backends.sqlite.journal import GENERATION_S
from tests.support.relay_desk import Desk

COUNT = 20


def test_envelopes_on_their_way_out_of_the_journal_are_always_found_by_readers(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path / "relay")
    try:
        alice, bob = desk.device(), desk.device()
        group = bytes(16)
        desk.commit(alice, group, 0, create=ConversationKind.GROUP, added=[bob])
        desk.submit(alice, *[desk.envelope(group, b"%d" % number) for number in range(COUNT)])
        (waiting,) = [one for one in desk.unread(bob) if one.log_id == group]
        desk.pass_time(GENERATION_S)

        desk.connection.execute("BEGIN IMMEDIATE")
        desk.journal.move_on(desk.clock, desk.now_ms)
        before = desk.read_span(bob, waiting)
        desk.connection.execute("COMMIT")
        between = desk.read_span(bob, waiting)
        desk.journal.committed()
        after = desk.read_span(bob, waiting)

        assert [one.payload for one in before] == [b"%d" % number for number in range(COUNT)]
        assert before == between == after
    finally:
        desk.close()
