"""The command line as scripts use it, at a real relay: exit codes, JSON lines, plain errors."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_demo.exits import Exit
from e2ecore_protocol.chain import Checkpoint
from tests.support.processes import RelayProcess
from tests.support.scripts import Person, registered

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    with RelayProcess(tmp_path_factory.mktemp("relay")) as process:
        yield process


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, relay: RelayProcess) -> tuple[Person, Person]:
    """Alice and bob, registered."""
    folder = tmp_path_factory.mktemp("people")
    return registered(folder, relay)


def test_a_message_goes_from_script_to_script(people: tuple[Person, Person]) -> None:
    alice, bob = people
    sent = alice.run_process("send", "bob", "hello", "from a script", "--json")
    assert (sent.code, sent.line["state"]) == (Exit.OK, "accepted"), sent.err
    got = bob.run_process("tail", "--json", "--limit", "1")
    assert got.code == Exit.OK
    assert (got.line["text"], got.line["from"]) == ("hello from a script", "alice")
    answer = bob.run("send", "@alice", "-", stdin="two\nlines\n")
    assert (answer.code, answer.out) == (Exit.OK, "")
    plain = alice.run("tail", "-n", "1")
    assert plain.out.endswith("bob: two\nlines\n")
    history = alice.run("history", "bob", "--json")
    assert [one["text"] for one in history.lines] == ["hello from a script", "two\nlines"]
    (listed,) = alice.run("list", "--json").lines
    assert (listed["title"], listed["kind"], listed["unread"]) == ("bob", "direct", 1)
    assert alice.run("history", "bob", "--mark-read").code == Exit.OK
    assert alice.run("list", "--json").line["unread"] == 0


def test_messages_are_answered_edited_taken_back_and_deleted(
    people: tuple[Person, Person],
) -> None:
    alice, bob = people
    sent = alice.run("send", "bob", "lunch at one?", "--json").line
    assert bob.run("tail", "--json", "-n", "1").line["id"] == sent["id"]
    assert bob.run("reply", "alice", str(sent["id"]), "yes", "please").code == Exit.OK
    assert bob.run("react", "alice", str(sent["id"])[-8:], "👍", "🍜").code == Exit.OK
    assert alice.run("tail", "--json", "--idle", "1").line["text"] == "yes please"
    assert alice.run("edit", "bob", str(sent["id"]), "lunch at two?").code == Exit.OK
    shown = alice.run("history", "bob", "-n", "2", "--ids").out.splitlines()
    assert shown[0].startswith(str(sent["id"])[-8:])
    assert shown[0].endswith("alice: lunch at two? (edited) [👍, 🍜]")
    assert shown[1].endswith('bob: (to "lunch at two?", changed since) yes please')
    bob.run("tail", "--idle", "1")
    assert bob.run("edit", "alice", str(sent["id"]), "mine").code == Exit.FAILURE
    assert alice.run("recall", "bob", str(sent["id"])).code == Exit.OK
    bob.run("tail", "--idle", "1")
    first, second = bob.run("history", "alice", "-n", "2", "--json").lines
    assert (first["kind"], first["text"]) == ("recalled", "")
    assert second["text"] == "yes please"
    assert bob.run("delete", "alice", "last").code == Exit.OK
    assert bob.run("history", "alice", "-n", "1").out.endswith("alice: (taken back)\n")
    for wrong in ("zzz", "0" * 32, "abcdef12"):
        assert bob.run("react", "alice", wrong, "x").code == Exit.USAGE


def test_texts_name_people_are_passed_on_and_erase_themselves(
    people: tuple[Person, Person],
) -> None:
    alice, bob = people
    for wrong in (["--mention", "bob"], ["--mention", "carol"], ["--lifetime", "soon"]):
        assert alice.run("send", "bob", "hi there", *wrong).code == Exit.USAGE
    long = alice.run("send", "bob", "x", "--lifetime", "999d")
    assert (long.code, "a year" in long.err) == (Exit.USAGE, True)
    words = ["lunch, @bob? @bobby can come.", "--mention", "@bob", "--lifetime", "7d"]
    sent = alice.run("send", "bob", *words, "--json").line
    got = bob.run("tail", "--json", "-n", "1").line
    mentions = got["mentions"]
    assert isinstance(mentions, list)
    assert [(one["start"], one["length"]) for one in mentions] == [(7, 4)]
    assert got["lifetime_s"] == 604_800
    passed = bob.run("forward", "alice", "last", "alice", "--json").line
    assert passed["id"] != sent["id"]
    assert alice.run("tail", "--json", "-n", "1").line["forwards"] == 1
    edited = ["lunch at two, @bob?", "--mention", "bob", "--json"]
    assert alice.run("edit", "bob", str(sent["id"]), *edited).line["id"] == sent["id"]
    assert alice.run("earlier", "bob", str(sent["id"])).out == f"{words[0]}\n"
    earlier = alice.run("earlier", "bob", str(sent["id"]), "--json").line
    assert (earlier["type"], earlier["text"]) == ("earlier", words[0])
    assert alice.run("delete", "bob", "last", "--json").line["id"] == passed["id"]
    shared = alice.run("share", "bob", "bob", "--json").line
    got = bob.run("tail", "--json", "-n", "1").line
    card = got["card"]
    assert isinstance(card, dict)
    assert (got["id"], got["kind"], card["handle"]) == (shared["id"], "card", "bob")
    assert bob.run("history", "alice", "-n", "1").out.endswith("alice: (contact) @bob\n")


def test_a_poll_is_asked_voted_on_and_closed(people: tuple[Person, Person]) -> None:
    alice, bob = people
    asked = alice.run("poll", "ask", "bob", "Where to?", "home", "去海边", "--for", "1h", "--json")
    assert asked.code == Exit.OK, asked.err
    got = bob.run("tail", "--json", "-n", "1").line
    assert (got["id"], got["kind"]) == (asked.line["id"], "poll")
    assert bob.run("poll", "vote", "alice", "last", "2").code == Exit.OK
    assert alice.run("poll", "vote", "bob", str(got["id"])[-8:], "2", "--json").code == Exit.OK
    alice.run("tail", "--idle", "1")
    sealed = alice.run("poll", "show", "bob", "--json").line
    assert (sealed["votes"], sealed["own"], sealed["closed_by"]) == ([0, 0], [2], None)
    assert alice.run("poll", "close", "bob", "last").code == Exit.OK
    bob.run("tail", "--idle", "1")
    alice.run("tail", "--idle", "1")
    assert alice.run("poll", "show", "bob", "--json").line["votes"] == [0, 2]
    assert alice.run("poll", "vote", "bob", "last", "1").code == Exit.FAILURE
    assert alice.run("poll", "vote", "bob", "last", "3").code == Exit.USAGE


def test_a_message_is_pinned_and_a_draft_sent(people: tuple[Person, Person]) -> None:
    alice, bob = people
    sent = alice.run("send", "bob", "the address", "--json").line
    assert bob.run("tail", "--json", "-n", "1").line["id"] == sent["id"]
    assert bob.run("pin", "alice", "last", "--json").line["id"] == sent["id"]
    alice.run("tail", "--idle", "1")
    assert alice.run("pins", "bob").out.endswith("alice: the address\n")
    assert alice.run("unpin", "bob", str(sent["id"])).code == Exit.OK
    assert alice.run("pins", "bob", "--json").lines == []
    assert alice.run("draft", "write", "bob", "I am here", "--answer", "last").code == Exit.OK
    assert alice.run("draft", "send", "bob").code == Exit.OK
    got = bob.run("tail", "--json", "-n", "1").line
    assert (got["text"], "reply" in got) == ("I am here", True)
    assert alice.run("lifetime", "bob", "1h").code == Exit.OK
    assert alice.run("lifetime", "bob").out == "1 h\n"
    bob.run("tail", "--idle", "1")
    assert "alice changed the rules" in bob.run("history", "alice").out
    assert bob.run("lifetime", "alice", "off", "--json").line["seconds"] is None


def test_whoever_wants_lets_others_know_what_they_have_read(people: tuple[Person, Person]) -> None:
    alice, bob = people
    assert bob.run("receipts", "alice").out == "off\n"
    refused = bob.run("receipts", "alice", "on")
    assert refused.code == Exit.REFUSED
    assert "e2e consent grant read_receipts" in refused.err
    mark = bob.run("consent", "show", "read_receipts").out.split()[-1]
    said = ("--controller", "Ex Ltd.", "--address", "1 High Street", "--jurisdiction", "CN")
    granted = bob.run("consent", "grant", "read_receipts", "--agree", mark, *said)
    assert granted.code == Exit.OK
    proof = bob.folder / "consents.json"
    assert bob.run("consent", "export", str(proof)).code == Exit.OK
    says = json.loads(proof.read_text())["consents"][0]["says"]
    assert says["jurisdiction"] == "CN"
    assert [one["address"] for one in says["controllers"]] == ["1 High Street"]
    assert bob.run("receipts", "alice", "on", "--json").line["on"] is True
    assert alice.run("send", "bob", "read this").code == Exit.OK
    assert bob.run("tail", "-n", "1").code == Exit.OK
    assert bob.run("history", "alice", "--mark-read").code == Exit.OK
    bob.run("tail", "--idle", "2")
    alice.run("tail", "--idle", "2")
    read_by = alice.run("history", "bob", "-n", "1", "--json").line["read_by"]
    assert isinstance(read_by, list)
    assert len(read_by) == 1
    assert bob.run("receipts", "alice", "off").code == Exit.OK
    assert bob.run("receipts", "alice").out == "off\n"


def test_both_see_the_same_safety_number_and_compare_it(people: tuple[Person, Person]) -> None:
    alice, bob = people
    number = str(bob.run("verify", "alice", "--json").line["safety_number"])
    assert len(number) == 60
    wrong = alice.run("verify", "bob", "--expect", "0" * 60)
    assert wrong.code == Exit.REFUSED
    assert "differ" in wrong.err
    assert alice.run("verify", "bob", "--expect", number).code == Exit.OK
    assert alice.run("contacts", "--json").line["verification"] == "verified"
    shown = bob.run("verify", "alice").out
    assert all(number[start : start + 5] in shown for start in range(0, 60, 5))
    assert "█" in shown
    assert "NOT COMPARED" in shown
    assert "Devices of alice:" in shown
    code = str(alice.run("verify", "bob", "--json").line["qr"])
    assert bob.run("verify", "alice", "--scanned", "00" + code).code == Exit.REFUSED
    assert bob.run("verify", "alice", "--scanned", "scanned").code == Exit.USAGE
    chinese = bob.run("verify", "alice", "--scanned", code, "--language", "zh-CN").out
    assert "已核对" in chinese
    assert "NOT COMPARED" in bob.run("verify", "alice", "--unmark").out


def test_what_the_relay_shows_of_somebody_is_compared_from_scripts(
    people: tuple[Person, Person],
) -> None:
    alice, bob = people
    line = bob.run("checkpoint", "bob", "--json").line
    assert isinstance(line["devices"], list)
    assert len(line["devices"]) == 1
    mark = str(line["checkpoint"])
    assert alice.run("checkpoint", "bob", "--compare", mark).code == Exit.OK
    seen = Checkpoint.decode(bytes.fromhex(mark))
    forked = Checkpoint.of(seen.account_id, seen.seq, bytes(32)).encode().hex()
    assert alice.run("checkpoint", "alice", "--compare", mark).code == Exit.USAGE
    assert alice.run("checkpoint", "bob", "--compare", mark[:-1] + "x").code == Exit.USAGE
    assert bob.run("checkpoint", "bob", "--compare", forked).code == Exit.REFUSED


def test_somebody_is_blocked_from_scripts(people: tuple[Person, Person]) -> None:
    alice, _ = people
    assert alice.run("block", "bob").out == "bob is blocked\n"
    assert "blocked" in alice.run("contacts").out
    refused = alice.run("send", "bob", "hello?")
    assert (refused.code, "Unblock" in refused.err) == (Exit.REFUSED, True)
    assert alice.run("unblock", "bob", "--json").line["blocked_ms"] is None


def test_a_group_is_run_from_scripts(people: tuple[Person, Person]) -> None:
    alice, bob = people
    made = alice.run("group", "create", "Trip", "bob")
    assert made.code == Exit.OK, made.err
    assert len(made.out.strip()) == 32
    assert alice.run("send", "+Trip", "to all").code == Exit.OK
    assert bob.run("tail", "+Trip", "-n", "1", "--idle", "10").out.endswith("alice: to all\n")
    assert alice.run("group", "role", "Trip", "bob", "admin", "--json").line["type"] == "changed"
    assert bob.run("group", "title", "Trip", "Long trip").code == Exit.OK
    members = alice.run("group", "members", "Long trip", "--json")
    if members.code != Exit.OK:  # the new title came after this command had read the list
        members = alice.run("group", "members", made.out.strip(), "--json")
    assert {(one["name"], one["role"]) for one in members.lines} == {
        ("alice", "owner"),
        ("bob", "admin"),
    }
    assert alice.run("group", "remove", made.out.strip(), "bob").code == Exit.OK
    refused = bob.run("tail", "--idle", "2")
    assert refused.code == Exit.OK
    assert bob.run("send", made.out.strip(), "still here?").code == Exit.REFUSED
    unknown = alice.run("send", "+nothing", "x")
    assert (unknown.code, "no group is called" in unknown.err) == (Exit.USAGE, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["send", "nobody", "x"], Exit.REFUSED, "Nobody at this relay"),
        (["send", "Not A Handle", "x"], Exit.USAGE, "3 to 32 characters"),
        (["send", "bob", ""], Exit.USAGE, "nothing in the text"),
        (["send", "f" * 31 + "0", "x"], Exit.USAGE, "no conversation"),
        (["register", "another"], Exit.FAILURE, "already has an account"),
    ],
)
def test_a_wrong_wish_is_a_clear_error(
    people: tuple[Person, Person], words: list[str], code: Exit, said: str
) -> None:
    done = people[0].run(*words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert len(done.err.splitlines()) <= 2


def test_a_wrong_passphrase_has_its_own_exit_code(people: tuple[Person, Person]) -> None:
    done = people[0].run("list", passphrase="wrong horse battery")
    assert done.code == Exit.WRONG_PASSPHRASE
    assert "does not open" in done.err


def test_a_missing_database_is_not_created_by_reading(tmp_path: Path) -> None:
    done = Person("ghost", tmp_path).run("list")
    assert done.code == Exit.FAILURE
    assert "no database" in done.err
    assert not (tmp_path / "ghost.db").exists()


def test_a_taken_handle_is_refused(
    relay: RelayProcess, people: tuple[Person, Person], tmp_path: Path
) -> None:
    del people
    where = ["--relay", relay.url, "--relay-ca", relay.ca]
    done = Person("thief", tmp_path).run("register", "alice", *where)
    assert done.code == Exit.REFUSED
    assert "Somebody else has that handle" in done.err
    again = Person("thief", tmp_path).run("register", "alice_b", *where)
    assert again.code == Exit.OK, again.err


def test_without_the_relay_a_message_waits_and_goes_out_later(tmp_path: Path) -> None:
    relay = RelayProcess(tmp_path / "relay").start()
    alice, bob = Person("alice", tmp_path), Person("bob", tmp_path)
    for one in (alice, bob):
        where = ["--relay", relay.url, "--relay-ca", relay.ca]
        assert one.run("register", one.name, *where).code == Exit.OK
    assert alice.run("send", "bob", "first").code == Exit.OK
    relay.stop()
    waiting = alice.run("send", "bob", "second", "--timeout", "5")
    assert waiting.code == Exit.RELAY_UNREACHABLE
    assert "The message is stored" in waiting.err
    assert alice.run("history", "bob", "--json").lines[-1]["state"] == "queued"
    assert alice.run("verify", "nobody").code == Exit.RELAY_UNREACHABLE
    relay.start()
    try:
        assert alice.run("send", "bob", "third").code == Exit.OK
        got = bob.run("tail", "-n", "3", "--idle", "10", "--json")
        assert [one["text"] for one in got.lines] == ["first", "second", "third"]
    finally:
        relay.stop()
