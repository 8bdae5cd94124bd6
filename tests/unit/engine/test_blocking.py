"""The engine from ordinary threads."""

from pathlib import Path

import pytest

import e2ecore
from e2ecore import blocking
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay


def test_a_script_registers_sends_and_receives(tmp_path: Path) -> None:
    with (
        blocking.open(tmp_path / "a.db", passphrase="a long one") as offline,
        pytest.raises(e2ecore.NoRelayError),
    ):
        offline.register("alice")
    relay = MemoryRelay(clock_ms=system_clock_ms)
    with blocking.open(tmp_path / "b.db", passphrase="a long one", relay=relay.dial) as bob:
        assert bob.account is None
        bob.register("bob", "Bob")
        bob.caught_up()
        group = bob.create_group("notes", [])
        bob.send(group, "to myself")
        assert [one.text for one in bob.messages(group)] == ["to myself"]
        assert [one.title for one in bob.conversations()] == ["notes"]
        events = bob.events()
        assert isinstance(next(events), e2ecore.Event)
        with pytest.raises(e2ecore.UnknownHandleError):
            bob.find("nobody")
