"""Where a passphrase may come from, and what is refused."""

import getpass
import os
import sys
from pathlib import Path

import pytest

from cli_demo.passphrase import FILE_VARIABLE, PassphraseError, read_passphrase


class Terminal:
    """Standard input that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FILE_VARIABLE, raising=False)


def type_in(monkeypatch: pytest.MonkeyPatch, *entries: str) -> None:
    answers = iter(entries)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(answers))


def pipe(content: bytes) -> int:
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return reader


def test_a_descriptor_is_read_up_to_the_end_of_its_first_line() -> None:
    reader = pipe("Größe x\nrest".encode())
    assert read_passphrase(fd=reader, create=False) == "Größe x"
    os.close(reader)


def test_a_file_is_read_up_to_the_end_of_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text("correct horse\r\nother\n")
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    assert read_passphrase(fd=None, create=True) == "correct horse"


def test_a_new_passphrase_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "correct horse", "correct horse")
    assert read_passphrase(fd=None, create=True) == "correct horse"
    type_in(monkeypatch, "correct horse", "correct house")
    with pytest.raises(PassphraseError, match="differ"):
        read_passphrase(fd=None, create=True)


def test_a_known_passphrase_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "x")
    assert read_passphrase(fd=None, create=False) == "x"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\n", b"x" * 5000])
def test_useless_content_is_refused(content: bytes) -> None:
    reader = pipe(content)
    with pytest.raises(PassphraseError):
        read_passphrase(fd=reader, create=False)
    os.close(reader)


def test_a_short_passphrase_does_not_make_a_database() -> None:
    reader = pipe(b"seven77\n")
    with pytest.raises(PassphraseError, match="at least 8"):
        read_passphrase(fd=reader, create=True)
    os.close(reader)


def test_without_any_source_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Path(os.devnull).open())  # noqa: SIM115 (given to the test's end)
    with pytest.raises(PassphraseError, match=FILE_VARIABLE):
        read_passphrase(fd=None, create=False)
    sys.stdin.close()


def test_a_missing_file_or_closed_descriptor_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(FILE_VARIABLE, "/nowhere/at/all")
    with pytest.raises(PassphraseError, match="cannot read"):
        read_passphrase(fd=None, create=False)
    with pytest.raises(PassphraseError, match="cannot read descriptor 987"):
        read_passphrase(fd=987, create=False)
