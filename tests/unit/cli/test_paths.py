"""Names of files behind a command: one as it stands, or several as in a shell."""

from pathlib import Path

import pytest

from cli_demo.chat.paths import make_folder, offers, paths_in
from cli_demo.exits import CliError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.txt", "b c.txt", ".hidden"):
        (tmp_path / name).write_text("x")
    (tmp_path / "deep").mkdir()
    return tmp_path


def test_one_file_needs_no_quotes_and_several_are_parted_as_in_a_shell(folder: Path) -> None:
    assert paths_in(f"{folder}/b c.txt") == [folder / "b c.txt"]
    assert paths_in(f"{folder}/a.txt '{folder}/b c.txt'") == [folder / "a.txt", folder / "b c.txt"]


def test_a_tilde_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert paths_in("~/a.txt") == [folder / "a.txt"]
    assert [one.text for one in offers("/send ~/a", 6).offers] == ["~/a.txt"]


@pytest.mark.parametrize("typed", ["{}/none", "'{}/a.txt", "", "x" * 5_000, "{}/a.txt {}/none"])
def test_what_is_not_there_is_named(folder: Path, typed: str) -> None:
    if typed:
        with pytest.raises(CliError):
            paths_in(typed.format(folder, folder))


def test_names_are_offered_folders_with_a_slash_hidden_ones_when_asked_for(folder: Path) -> None:
    before = f"/send {folder}/"
    found = offers(before, 6)
    assert [one.shown for one in found.offers] == ["a.txt", "b c.txt", "deep/"]
    assert [one.shown for one in offers(f"{before}.", 6).offers] == [".hidden"]
    assert not offers(f"{before}a.txt", 6).offers
    assert not offers(f"{before}zzz", 6).offers
    second = offers(f"{before}a.txt {folder}/d", 6)
    assert [one.text for one in second.offers] == [f"{folder}/deep/"]
    assert second.start == len(before) + len("a.txt ")


def test_a_folder_that_cannot_be_made_is_told(folder: Path) -> None:
    with pytest.raises(CliError, match=r"File exists|Not a directory"):
        make_folder(folder / "a.txt" / "deep")
    make_folder(folder / "new" / "one")
    assert (folder / "new" / "one").is_dir()
