"""Files on the command line, at a real relay: sent, fetched, listed; and whatever goes wrong."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import e2ecore
from cli_demo.exits import Exit
from e2ecore.engine.files import attaching
from tests.support.processes import RelayProcess
from tests.support.scripts import PASSPHRASE, ROOT, Person, registered
from tests.support.sounds import recorded

pytestmark = pytest.mark.slow
DATA = bytes(range(256)) * 2_000


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Person, Person]]:
    """Alice and bob, registered and in a conversation."""
    with RelayProcess(tmp_path_factory.mktemp("relay")) as relay:
        both = registered(tmp_path_factory.mktemp("people"), relay)
        assert both[0].run("send", "bob", "hello").code == Exit.OK
        assert both[1].run("tail", "-n", "1").code == Exit.OK
        yield both


def some(folder: Path, name: str, data: bytes = DATA) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def files_in(line: Mapping[str, object]) -> list[dict[str, object]]:
    found = line["files"]
    assert isinstance(found, list)
    return found


def test_a_file_is_sent_listed_and_fetched(people: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = people
    sent = alice.run("send-file", "bob", some(tmp_path, "plan.pdf"), "--text", "look", "--json")
    assert (sent.code, sent.line["state"], sent.err) == (Exit.OK, "accepted", "")
    got = bob.run("tail", "--json", "-n", "1").line
    (file,) = files_in(got)
    assert (got["id"], got["text"], file["name"], file["size"]) == (
        sent.line["id"],
        "look",
        "plan.pdf",
        len(DATA),
    )
    assert bob.run("history", "alice", "-n", "1").out.endswith("alice: (file) plan.pdf look\n")
    own = alice.run("files", "bob", "--status").out
    assert own.rstrip().endswith("1  plan.pdf, 500.0 KiB: waiting for 1 of 1, expires in 6 d 23 h")
    assert bob.run("files", "alice").out.rstrip().endswith("plan.pdf, 500.0 KiB: `get` fetches it")
    fetched = bob.run("get", "alice", "last", "--to", str(tmp_path), "--json")
    assert (fetched.code, fetched.err) == (Exit.OK, "")
    path = Path(str(fetched.line["path"]))
    assert (path.name, path.read_bytes()) == ("plan (2).pdf", DATA)
    alice.run("tail", "--idle", "1")
    listed = alice.run("files", "bob", "--json").lines[-1]
    assert "all_fetched" in json.dumps(listed["deletion"])
    assert (listed["message"], listed["number"]) == (sent.line["id"], 1)
    assert "gone: all have it" in alice.run("files", "bob").out


def test_an_album_and_a_voice_note(people: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = people
    several = [some(tmp_path, f"{n}.bin", bytes([n]) * 10) for n in range(3)]
    assert alice.run("send-file", "bob", *several).code == Exit.OK
    got = bob.run("tail", "--json", "-n", "1").line
    assert [one["name"] for one in files_in(got)] == ["0.bin", "1.bin", "2.bin"]
    out = tmp_path / "second"
    assert bob.run("get", "alice", "last", "-n", "2", "--to", str(out)).out == f"{out}\n"
    assert out.read_bytes() == bytes([1]) * 10
    assert bob.run("get", "alice", "last", "-n", "4").code == Exit.USAGE
    note = recorded(tmp_path / "note.wav", [0.0] * 4_000 + [0.9, -0.9] * 2_000)
    assert alice.run("send-file", "bob", str(note), "--voice").code == Exit.OK
    (file,) = files_in(bob.run("tail", "--json", "-n", "1").line)
    assert (file["form"], file["media_type"]) == ("voice", "audio/wav")
    heard = f"{'▁' * 12}{'█' * 12}"
    assert f"voice note, 0:01, 15.7 KiB: `get` fetches it  {heard}" in bob.run("files", "alice").out
    assert (
        bob.run("history", "alice", "-n", "1").out.rstrip().endswith(f"0:01 {'▁' * 16}{'█' * 16}")
    )
    refused = alice.run("send-file", "bob", some(tmp_path, "noise.wav"), "--voice")
    assert (refused.code, "no sound that is known here" in refused.err) == (Exit.USAGE, True)
    empty = some(tmp_path, "empty.txt", b"")
    assert alice.run("send-file", "bob", empty).code == Exit.OK
    assert bob.run("tail", "-n", "1").code == Exit.OK
    assert bob.run("get", "alice", "last", "--to", str(tmp_path / "nothing")).code == Exit.OK
    assert (tmp_path / "nothing").read_bytes() == b""


def test_what_cannot_be_sent_is_said_in_words(
    people: tuple[Person, Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _ = people
    good = some(tmp_path, "a.txt")
    before = len(alice.run("history", "bob", "--json").lines)
    for wrong, said in (
        ([str(tmp_path / "none")], "does not exist"),
        ([str(tmp_path)], "is a directory"),
        ([good, "--text", "x" * 70_000], "64 KiB"),
        ([good] * 33, "32 files"),
        (["/dev/null"], "cannot be sent as a file"),
        ([some(tmp_path, "bad\u202ename")], "under this name"),
    ):
        refused = alice.run("send-file", "bob", *wrong)
        assert refused.code == Exit.USAGE
        assert said in " ".join(refused.err.replace("│", " ").split()), refused.err
    monkeypatch.setattr(attaching, "MAX_ATTACHMENT_BYTES", 1_000)
    large = alice.run("send-file", "bob", good)
    assert (large.code, "larger than 4 GiB" in large.err) == (Exit.FAILURE, True)
    assert len(alice.run("history", "bob", "--json").lines) == before


def test_a_full_disk_is_told_by_name_and_nothing_is_sent(
    people: tuple[Person, Person], tmp_path: Path
) -> None:
    alice, _ = people
    large = some(tmp_path, "large.bin", bytes(6 << 20))
    done = process(alice, "send-file", "bob", large, limit=3 << 20)
    assert done.returncode == Exit.FAILURE
    assert "The disk or the quota is full." in done.stderr
    assert "large.bin" not in alice.run("files", "bob").out


def test_a_name_of_a_stranger_leads_nowhere_and_nothing_is_overwritten(
    people: tuple[Person, Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = people
    monkeypatch.setattr(attaching, "sendable_name", lambda name: name)
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    assert alice.run("send-file", "bob", some(tmp_path, "-rf ~<:>|?*.sh")).code == Exit.OK
    assert bob.run("tail", "-n", "1").code == Exit.OK
    assert bob.run("get", "alice", "last", "--to", str(folder)).code == Exit.OK
    (written,) = folder.iterdir()
    assert written.name == "_-rf ~______.sh"
    written.write_text("mine")
    refused = bob.run("get", "alice", "last", "--to", str(written))
    assert (refused.code, "Nothing was overwritten" in refused.err) == (Exit.USAGE, True)
    assert written.read_text() == "mine"
    assert bob.run("get", "alice", "last", "--to", str(folder)).code == Exit.OK
    assert len(list(folder.iterdir())) == 2
    assert bob.run("get", "alice", "last", "--to", str(folder / "no" / "x")).code == Exit.USAGE


def test_a_file_that_expired_is_told_and_asked_for(
    people: tuple[Person, Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = people
    assert alice.run("send-file", "bob", some(tmp_path, "late.txt")).code == Exit.OK
    assert bob.run("tail", "-n", "1").code == Exit.OK

    async def gone(*_: object, **__: object) -> None:
        raise e2ecore.AttachmentGoneError

    monkeypatch.setattr(e2ecore.Attachment, "download", gone)
    refused = bob.run("get", "alice", "last", "--to", str(tmp_path))
    assert refused.code == Exit.REFUSED
    assert "its time was over" in refused.err
    asked = bob.run("get", "alice", "last", "--to", str(tmp_path), "--ask")
    assert (asked.code, "Its sender was asked" in asked.err) == (Exit.REFUSED, True)
    events = alice.run("tail", "--json", "--events", "--idle", "2").lines
    assert "attachment_asked" in [one["type"] for one in events]


def test_files_are_sent_on_and_what_is_gone_is_told(
    people: tuple[Person, Person], tmp_path: Path
) -> None:
    alice, bob = people
    assert alice.run("send-file", "bob", some(tmp_path, "on.txt"), "--text", "look").code == Exit.OK
    assert bob.run("tail", "-n", "1").code == Exit.OK
    on = bob.run("forward", "alice", "last", "alice", "--json")
    assert (on.code, on.line["state"]) == (Exit.OK, "accepted")
    got = alice.run("tail", "--json", "-n", "1").line
    (file,) = files_in(got)
    assert (got["text"], file["name"], file["size"]) == ("look", "on.txt", len(DATA))
    here = alice.run("get", "bob", "last", "--to", str(tmp_path / "back"))
    assert (here.code, (tmp_path / "back").read_bytes()) == (Exit.OK, DATA)
    assert alice.run("tail", "--idle", "1").code == Exit.OK
    discarded(alice)
    gone = alice.run("forward", "bob", "last", "bob")
    assert (gone.code, "its time was over, or all devices had it" in gone.err) == (
        Exit.REFUSED,
        True,
    )


def discarded(person: Person) -> None:
    """Damage all local copies of a person: they are noise then."""
    for one in (person.folder / f"{person.name}.db.files").iterdir():
        one.write_bytes(b"noise")


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(
    people: tuple[Person, Person], tmp_path: Path
) -> None:
    alice, _ = people
    path = some(tmp_path, "shown.bin", bytes(3 << 20))
    done = process(alice, "send-file", "bob", path, "--json")
    assert (done.returncode, done.stderr) == (Exit.OK, "")
    assert json.loads(done.stdout)["state"] == "accepted"
    ours, theirs = os.openpty()
    shown = process(alice, "send-file", "bob", path, "--json", stderr=theirs)
    os.close(theirs)
    drawn = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert shown.returncode == Exit.OK, drawn
    assert "shown.bin" in drawn
    assert "MB" in drawn or "MiB" in drawn
    assert json.loads(shown.stdout)["state"] == "accepted"


def process(
    person: Person, *words: str, limit: int = resource.RLIM_INFINITY, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """As a user does; ``limit``: no file may become larger."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    return subprocess.run(
        [sys.executable, "-m", "cli_demo", *words],
        cwd=ROOT,
        env={**os.environ, **person.environment(PASSPHRASE), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=240,
        check=False,
        preexec_fn=limited,
    )
