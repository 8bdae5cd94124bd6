"""What ``consent``, ``device``, ``guardian``, ``youth`` and ``verify`` say, in each language."""

import re
import string
from collections.abc import Iterator, Mapping

import pytest

import e2ecore
from cli_demo import consent_words, contact_words, device_words, guardian_words, history_words
from cli_demo.error_words import CHINESE, explain_in
from cli_demo.exits import NoAccountError, RelayTimeoutError

TABLES: tuple[Mapping[str, "AnyWords"], ...] = (
    consent_words.WORDS,
    device_words.WORDS,
    guardian_words.WORDS,
    contact_words.WORDS,
    history_words.WORDS,
)
AnyWords = (
    consent_words.Words
    | device_words.DeviceWords
    | guardian_words.GuardianWords
    | contact_words.ContactWords
    | history_words.HistoryWords
)
SURFACE = (
    e2ecore.Consents,
    e2ecore.Devices,
    e2ecore.Linking,
    e2ecore.Joining,
    e2ecore.Guardians,
    e2ecore.YouthMode,
)


def sentences(words: AnyWords) -> Iterator[tuple[str, str]]:
    """Every text of a table, by what it is for."""
    for name, value in words._asdict().items():
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, Mapping):
            yield from ((f"{name} {key}", str(one)) for key, one in value.items())


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("table", TABLES)
def test_both_languages_say_the_same_things_with_the_same_gaps(
    table: Mapping[str, AnyWords],
) -> None:
    english, chinese = (dict(sentences(table[one])) for one in ("en", "zh-CN"))
    assert english.keys() == chinese.keys()
    for name, text in english.items():
        assert gaps(text) == gaps(chinese[name]), name
        assert re.search("[\u4e00-\u9fff]", chinese[name]), name
        assert not re.search("[\u4e00-\u9fff]", text), name


def test_every_purpose_state_and_reason_has_a_name() -> None:
    for words in consent_words.WORDS.values():
        assert words.purposes.keys() == {*e2ecore.Purpose}
        assert words.states.keys() == {*e2ecore.ConsentState}
    for of_guardians in guardian_words.WORDS.values():
        assert of_guardians.bonds.keys() == {*e2ecore.BondState}
        assert of_guardians.requests.keys() == {*e2ecore.ApprovalState}
    for of_devices in device_words.WORDS.values():
        assert of_devices.reasons.keys() == {*e2ecore.RemovalReason}


def raised() -> set[str]:
    """The errors that the calls behind the two verbs name in their documentation."""
    found: set[str] = set()
    for kind in SURFACE:
        for member in vars(kind).values():
            text = getattr(member, "__doc__", None) or ""
            found |= set(re.findall(r"^\s+(\w+Error):", text.partition("Raises:")[2], re.MULTILINE))
            found |= set(re.findall(r"``(\w+Error)``", text))
    return found


def test_every_error_that_the_calls_name_is_said_in_chinese() -> None:
    names = {kind.__name__ for kind in CHINESE}
    assert len(raised()) > 10
    assert raised() - names == set()
    assert all(re.search("[\u4e00-\u9fff]", text) for text in CHINESE.values())
    assert all(gaps(text) <= {"said"} for text in CHINESE.values())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (e2ecore.NotHolderError(), "本设备是后来关联的"),
        (e2ecore.ConsentRequiredError("multi_device_sync"), "e2e consent grant multi_device_sync"),
        (RelayTimeoutError("no answer"), "中继没有在规定时间内应答。"),
        (NoAccountError("none"), "e2e register"),
        (e2ecore.DiskFullError(), "暂时无法完成"),
    ],
)
def test_an_error_is_said_in_the_language_that_was_asked_for(error: Exception, said: str) -> None:
    assert said in explain_in("zh-CN", error)
    assert not re.search("[\u4e00-\u9fff]", explain_in("en", error))
