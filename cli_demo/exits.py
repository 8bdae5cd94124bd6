"""What the process returns, and how an error is said in one or two lines."""

import inspect
from enum import IntEnum
from typing import Final

import e2ecore
from cli_demo.passphrase import PassphraseError
from cli_demo.text import visible


class Exit(IntEnum):
    """The exit codes, part of the interface for scripts."""

    OK = 0
    """Everything that was asked for was done."""
    FAILURE = 1
    """It could not be done here: files, disk, damaged data, a failed check of the demo."""
    USAGE = 2
    """The command line or a value on it is wrong. Nothing was changed."""
    WRONG_PASSPHRASE = 3
    """The passphrase does not open the database."""
    RELAY_UNREACHABLE = 4
    """The relay could not be reached in time. What was sent waits in the database."""
    REFUSED = 5
    """The relay or another member refused it, or sent something invalid."""
    INTERRUPTED = 130
    """Stopped by Ctrl+C."""


class CliError(Exception):
    """Something that only the command line knows of, with its exit code. The text is the user's."""

    def __init__(self, text: str, code: Exit) -> None:
        super().__init__(text)
        self.code = code


class NoAccountError(CliError):
    """The database has no account yet."""

    def __init__(self, text: str) -> None:
        super().__init__(text, Exit.FAILURE)


class RelayTimeoutError(CliError):
    """The relay was not reached, or did not answer, in the time that the user gave."""

    def __init__(self, text: str) -> None:
        super().__init__(text, Exit.RELAY_UNREACHABLE)


_UNREACHABLE: Final = (
    e2ecore.ConnectionLostError,
    e2ecore.MoveUnfinishedError,
    e2ecore.NotARelayError,
    e2ecore.RelayCertificateError,
    e2ecore.RelayUnreachableError,
)
_REFUSED: Final = (
    e2ecore.AccountMovedError,
    e2ecore.AccountMovingError,
    e2ecore.AttachmentGoneError,
    e2ecore.UploadRefusedError,
    e2ecore.PasscodePauseError,
    e2ecore.WrongPasscodeError,
    e2ecore.ChangeFailedError,
    e2ecore.ContactBlockedError,
    e2ecore.ContactChangedError,
    e2ecore.ConsentRequiredError,
    e2ecore.GuardianRequiredError,
    e2ecore.HasGuardianError,
    e2ecore.NoGuardianError,
    e2ecore.NotMarkedError,
    e2ecore.ConversationReadOnlyError,
    e2ecore.DeviceInQuarantineError,
    e2ecore.NotHolderError,
    e2ecore.OwnDevicesNotReadyError,
    e2ecore.RendezvousOverError,
    e2ecore.TooManyDevicesError,
    e2ecore.DeviceErasedError,
    e2ecore.DeviceRevokedError,
    e2ecore.HandleTakenError,
    e2ecore.MessageRefusedError,
    e2ecore.NoKeyPackageError,
    e2ecore.NotAllowedError,
    e2ecore.PeerError,
    e2ecore.RelayRefusedError,
    e2ecore.SafetyNumberMismatchError,
    e2ecore.UnknownHandleError,
    e2ecore.VersionError,
)
_USAGE: Final = (
    e2ecore.BadCheckpointError,
    e2ecore.BadAttachmentNameError,
    e2ecore.BadFileError,
    e2ecore.BadTargetError,
    e2ecore.CaptionTooLongError,
    e2ecore.FileExistsHereError,
    e2ecore.TooManyFilesError,
    e2ecore.UnusablePasscodeError,
    e2ecore.YouthModeError,
    PassphraseError,
    e2ecore.BadConsentError,
    e2ecore.BadConsentFileError,
    e2ecore.BadChoiceError,
    e2ecore.BadHandleError,
    e2ecore.BadLinkCodeError,
    e2ecore.BadMarkError,
    e2ecore.BadLifetimeError,
    e2ecore.BadMentionError,
    e2ecore.BadPolicyError,
    e2ecore.BadPollError,
    e2ecore.BadReactionError,
    e2ecore.BadRecoveryCodeError,
    e2ecore.BadRelayAddressError,
    e2ecore.BadRetentionError,
    e2ecore.BadTextError,
    e2ecore.EmptyTextError,
    e2ecore.NameTooLongError,
    e2ecore.LastSlotError,
    e2ecore.NoNoticeError,
    e2ecore.NoRelayError,
    e2ecore.NotAPollError,
    e2ecore.OwnAccountError,
    e2ecore.SearchTextError,
    e2ecore.TextTooLongError,
    e2ecore.TitleTooLongError,
    e2ecore.UnknownAccountError,
    e2ecore.UnknownBondError,
    e2ecore.UnknownRequestError,
    e2ecore.UnknownConversationError,
    e2ecore.UnknownSlotError,
    e2ecore.WeakPassphraseError,
)
_CODES: Final[tuple[tuple[tuple[type[BaseException], ...], Exit], ...]] = (
    ((e2ecore.WrongKeyError,), Exit.WRONG_PASSPHRASE),
    ((KeyboardInterrupt,), Exit.INTERRUPTED),
    (_UNREACHABLE, Exit.RELAY_UNREACHABLE),
    (_REFUSED, Exit.REFUSED),
    (_USAGE, Exit.USAGE),
)
"""The first line that fits decides; all else is a failure."""


def code_for(error: BaseException) -> Exit:
    """The exit code of an error."""
    if isinstance(error, CliError):
        return error.code
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), Exit.FAILURE)


def explain(error: BaseException) -> str:
    """What happened, and on a second line what to do. Never a traceback."""
    said = visible(str(error)).strip()
    match error:
        case e2ecore.ConsentRequiredError():
            return f"Read what this means, and agree or not:\ne2e consent grant {said} asks first."
        case e2ecore.GuardianRequiredError():
            return f"This needs your guardian's yes as well:\ne2e guardian ask {said} asks them."
        case e2ecore.RelayRefusedError():
            return _sentence(f"the relay said no: {said}")
        case e2ecore.UnknownPictureError():
            return (
                "What this picture says of places and people cannot be taken out.\n"
                "Send it as JPEG, PNG, GIF or WebP; or whole, by e2e send-file --keep-metadata."
            )
        case e2ecore.E2EError():
            return _advised(said, error)
        case _:
            return said or type(error).__name__


def _advised(said: str, error: e2ecore.E2EError) -> str:
    advice = " ".join(inspect.cleandoc(type(error).__doc__ or "").replace("`", "").split())
    if said and " " not in said:
        return f"{said}: {advice}"
    if said.rstrip(".").casefold() in advice.casefold():
        return advice
    if advice.casefold() in said.casefold():
        return said
    return f"{_sentence(said)}\n{advice}"


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def first_error(error: BaseException) -> BaseException:
    """The error to report out of a group: ours before others, the first before the rest."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [first_error(one) for one in error.exceptions]
    known = (e2ecore.E2EError, CliError, PassphraseError, KeyboardInterrupt)
    return next((leaf for leaf in leaves if isinstance(leaf, known)), leaves[0])
