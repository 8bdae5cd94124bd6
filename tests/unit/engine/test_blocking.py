"""The engine from ordinary threads."""

import inspect
from pathlib import Path

import pytest

import e2ecore
from e2ecore import blocking
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay

_ASYNCHRONOUS = (
    e2ecore.Engine, e2ecore.Contacts, e2ecore.Contact, e2ecore.Conversations, e2ecore.Conversation,
    e2ecore.SentMessage, e2ecore.Change, e2ecore.MyData, e2ecore.Keys, e2ecore.Upload,
    e2ecore.Attachment, e2ecore.FileStore,
)  # fmt: skip
_OF_ITS_OWN = {"Conversation.send"}
"""Methods whose counterpart does more."""


def test_every_call_of_the_asynchronous_api_has_one_that_waits() -> None:
    wrapped = {getattr(one, "__wrapped__", None) for one in vars(blocking.BlockingEngine).values()}
    for cls in _ASYNCHRONOUS:
        for name, method in inspect.getmembers(cls, inspect.iscoroutinefunction):
            if not name.startswith("_") and f"{cls.__name__}.{name}" not in _OF_ITS_OWN:
                assert method in wrapped, f"{cls.__name__}.{name}"


def test_a_call_that_waits_names_what_it_stands_for_and_what_it_takes() -> None:
    react = blocking.BlockingEngine.react
    assert react.__doc__ == "As ``Conversation.react``."
    assert list(inspect.signature(react).parameters) == ["self", "conversation", "message", "signs"]
    find = blocking.BlockingEngine.find
    assert find.__doc__ == "As ``Contacts.find``."
    assert list(inspect.signature(find).parameters) == ["self", "handle"]


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
        (said,) = bob.messages(group)
        assert said.text == "to myself"
        bob.accepted(bob.edit(group, said, "to me"))
        assert bob.earlier_texts(group, said) == ["to myself"]
        assert [one.title for one in bob.conversations()] == ["notes"]
        events = bob.events()
        assert isinstance(next(events), e2ecore.Event)
        with pytest.raises(e2ecore.UnknownHandleError):
            bob.find("nobody")
