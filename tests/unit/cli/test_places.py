"""The relay of a database is said once and found again."""

from pathlib import Path

import pytest

from cli_demo import places
from cli_demo.places import DEFAULT_RELAY, RelayPlace, relay_of, remember_relay


def test_a_remembered_relay_is_found_again(tmp_path: Path) -> None:
    db, ca = tmp_path / "a.db", tmp_path / "ca.pem"
    remember_relay(db, RelayPlace("wss://relay.example", ca))
    assert relay_of(db, None, None) == RelayPlace("wss://relay.example", ca)
    assert [one.name for one in tmp_path.iterdir()] == ["a.db.relay.json"]


def test_what_is_said_now_wins(tmp_path: Path) -> None:
    db, ca = tmp_path / "a.db", tmp_path / "ca.pem"
    remember_relay(db, RelayPlace("wss://relay.example", ca))
    assert relay_of(db, "wss://other.example", None) == RelayPlace("wss://other.example", None)
    assert relay_of(db, "wss://relay.example", None).ca == ca
    other = tmp_path / "other.pem"
    assert relay_of(db, None, other) == RelayPlace("wss://relay.example", other)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"url": 1}', "\x00"])
def test_a_damaged_note_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    db = tmp_path / "a.db"
    (tmp_path / "a.db.relay.json").write_text(damage)
    assert relay_of(db, None, None).url == DEFAULT_RELAY


def test_the_authority_of_a_relay_on_this_machine_is_trusted_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "default_relay_data", lambda: tmp_path)
    db = tmp_path / "a.db"
    assert relay_of(db, None, None).ca is None
    ca = tmp_path / "development-ca.pem"
    ca.write_text("x")
    assert relay_of(db, None, None).ca == ca
    assert relay_of(db, "wss://localhost:1", None).ca == ca
    assert relay_of(db, "wss://relay.example", None).ca is None
