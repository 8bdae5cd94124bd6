"""Every failure has a documented exit code and one or two readable lines."""

import inspect

import pytest

import e2ecore
from cli_demo.exits import (
    CliError,
    Exit,
    RelayTimeoutError,
    code_for,
    explain,
    first_error,
)
from cli_demo.passphrase import PassphraseError


def all_errors(root: type[Exception] = e2ecore.E2EError) -> list[type[Exception]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in all_errors(child))]


PUBLIC_ERRORS = [
    one
    for one in vars(e2ecore).values()
    if inspect.isclass(one) and issubclass(one, e2ecore.E2EError)
]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (e2ecore.WrongPassphraseError(), Exit.WRONG_PASSPHRASE),
        (e2ecore.RelayUnreachableError("x"), Exit.RELAY_UNREACHABLE),
        (RelayTimeoutError("x"), Exit.RELAY_UNREACHABLE),
        (e2ecore.HandleTakenError("x"), Exit.REFUSED),
        (e2ecore.UnknownHandleError("x"), Exit.REFUSED),
        (e2ecore.PeerError("x"), Exit.REFUSED),
        (e2ecore.BadHandleError("x"), Exit.USAGE),
        (e2ecore.TextTooLongError("x"), Exit.USAGE),
        (e2ecore.BadPollError("x"), Exit.USAGE),
        (e2ecore.BadChoiceError("x"), Exit.USAGE),
        (PassphraseError("x"), Exit.USAGE),
        (e2ecore.DatabaseMissingError("x"), Exit.FAILURE),
        (e2ecore.DatabaseInUseError("x"), Exit.FAILURE),
        (e2ecore.CorruptStateError("x"), Exit.FAILURE),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (RuntimeError("bug"), Exit.FAILURE),
        (CliError("x", Exit.REFUSED), Exit.REFUSED),
    ],
)
def test_an_error_has_its_exit_code(error: BaseException, code: Exit) -> None:
    assert code_for(error) is code


def test_a_picture_that_is_not_looked_into_can_be_sent_all_the_same() -> None:
    assert "e2e send-file --keep-metadata" in explain(e2ecore.UnknownPictureError())


@pytest.mark.parametrize("kind", PUBLIC_ERRORS, ids=lambda kind: kind.__name__)
def test_every_public_error_explains_itself_without_a_traceback(kind: type[Exception]) -> None:
    error = Exception.__new__(kind)
    text = explain(error)
    assert text
    assert len(text.splitlines()) <= 2
    assert "Traceback" not in text
    assert text[-1] in ".!?"


def test_what_happened_comes_before_what_to_do() -> None:
    lines = explain(e2ecore.UnknownHandleError("nobody is called bbo")).splitlines()
    assert lines[0] == "Nobody is called bbo."
    assert len(lines) == 2


def test_a_bare_name_is_put_before_what_is_wrong_with_it() -> None:
    assert explain(e2ecore.UnknownHandleError("nobody")).startswith("nobody: Nobody at this relay")


def test_nothing_is_said_twice() -> None:
    advice = explain(e2ecore.RelayUnreachableError())
    assert explain(e2ecore.RelayUnreachableError(advice)) == advice
    assert explain(e2ecore.DatabaseMissingError()).count("There is no database") == 1


def test_other_peoples_words_in_an_error_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in explain(e2ecore.PeerError("\x1b[2J"))


def test_the_first_of_our_errors_is_reported_out_of_a_group() -> None:
    ours = e2ecore.TransientError("x")
    group = BaseExceptionGroup("", [RuntimeError("y"), ExceptionGroup("", [ours])])
    assert first_error(group) is ours
    assert first_error(ours) is ours
