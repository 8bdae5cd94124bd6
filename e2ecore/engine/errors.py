"""What can go wrong when an app calls the engine: one class per case, each says what to do."""

from e2ecore.errors import CorruptStateError, PeerError, TransientError, UsageError


class NotRegisteredError(UsageError):
    """This database has no account yet. Call ``engine.register`` first."""


class AlreadyRegisteredError(UsageError):
    """This database already has an account.

    One database belongs to one account; open another file.
    """


class UnsupportedSuiteError(UsageError):
    """Conversations cannot be begun with this cipher suite. Leave it out for the default."""


class ConsentRequiredError(UsageError):
    """This needs a consent that the person has not given, or has taken back.

    Show them the notice, and call ``engine.consents.grant`` if they agree. ``purpose`` says what
    for.
    """

    def __init__(self, purpose: str) -> None:
        super().__init__(purpose)
        self.purpose = purpose


class GuardianRequiredError(UsageError):
    """This account belongs to somebody under 14: a guardian has to approve this first.

    Have the guardian asked by ``engine.guardians.ask``. ``purpose`` says what for.
    """

    def __init__(self, purpose: str) -> None:
        super().__init__(purpose)
        self.purpose = purpose


class BadConsentError(UsageError):
    """A consent cannot be noted like that. Nothing was. The text says what does not fit."""


class YouthModeError(UsageError):
    """This is closed in youth mode, which is on. Only its passcode leaves it."""


class UnusablePasscodeError(UsageError):
    """A passcode needs 6 to 64 characters that are no simple row, and must not open the database.

    Choose another one, which the young person does not know.
    """


class WrongPasscodeError(UsageError):
    """This is not the passcode. Youth mode stays on; the try was counted."""


class PasscodePauseError(UsageError):
    """Too many passcodes were wrong. ``pause_ms`` says for how long to wait before the next try."""

    def __init__(self, pause_ms: int) -> None:
        super().__init__(f"wait {-(-pause_ms // 1000)} s")
        self.pause_ms = pause_ms


class NoRelayError(UsageError):
    """The engine was opened without a relay.

    Open it with ``relay=...`` for everything that needs the network.
    """


class EngineClosedError(UsageError):
    """The engine is closed. Open it again."""


class DeviceErasedError(EngineClosedError):
    """The owner has removed this device from the account. What it held was erased."""


class EngineLockedError(EngineClosedError):
    """The engine is locked. Call ``engine.unlock`` first; conversations have to be fetched anew."""


class OneKeyError(UsageError):
    """Give one key: ``passphrase=...`` or ``unlock=...``, not both and not none."""


class UnknownHandleError(UsageError):
    """Nobody at this relay has that handle. Check the spelling."""


class BadHandleError(UsageError):
    """A handle has 3 to 32 characters out of a-z, 0-9, _ and ., and starts with a letter."""


class HandleTakenError(UsageError):
    """Somebody else has that handle. Choose another."""


class UnknownAccountError(UsageError):
    """No account with that id is known here or at the relay."""


class UnknownConversationError(UsageError):
    """There is no conversation with that id in this database."""


class TwoCursorsError(UsageError):
    """A page lies at one place. Give one of ``before``, ``after``, ``around`` and ``at_ms``."""


class TextTooLongError(UsageError):
    """A text has at most 1 MiB in UTF-8. Split it."""


class BadTextError(UsageError):
    """The text is not valid Unicode (lone surrogates) and cannot be sent.

    Decode it properly first.
    """


class BadPolicyError(UsageError):
    """Messages of a conversation erase themselves after a second or more, and less than 30 days.

    None lets them stay.
    """


class BadRetentionError(UsageError):
    """Messages are kept for at least a second. Choose a longer time, or None for ever."""


class TooManyMessagesError(UsageError):
    """At most 1,000 messages are erased in one call. Call it again for the rest."""


class ErasureDelayedError(TransientError):
    """The messages are deleted, but something reads an older state of the database for very long.

    What was deleted can still be in its log until that ends. Nothing has to be done again.
    """


class MessageGoneError(UsageError):
    """That message is not here any more: it was erased, or taken back by its author."""


class MessageElsewhereError(UsageError):
    """That message is in another conversation. Nothing was changed; ask its own conversation."""


class NotYourMessageError(UsageError):
    """Only who wrote a message can edit it or take it back."""


class NotATextError(UsageError):
    """That cannot be done with this kind of message. Nothing was changed."""


class EditWindowOverError(UsageError):
    """A message can be edited for 24 hours after it was sent. Take it back and write another."""


class BadPollError(UsageError):
    """A poll looks different: a question of at most 300 characters, 2 to 12 different options.

    An option has at most 100 characters. At least one can be chosen, and no more than there are.
    """


class NotAPollError(UsageError):
    """This message is no poll. Nothing was changed."""


class PollClosedError(UsageError):
    """The poll is closed, or its time is over. Nothing was changed."""


class BadChoiceError(UsageError):
    """Choose options of the poll by their numbers, each once, and not more than it allows."""


class BadReactionError(UsageError):
    """A reaction has up to 8 different signs of 1 to 64 bytes each."""


class BadMentionError(UsageError):
    """Mentions are up to 100 parts of the text, in order, none empty, none overlapping."""


class BadLifetimeError(UsageError):
    """A message erases itself after at least a second and at most a year."""


class ImportTooLongError(UsageError):
    """A conversation has more messages than an imported one can hold, 2^30. What fits is here."""


class EmptyTextError(UsageError):
    """There is nothing in the text. Send something."""


class BadSettingError(UsageError):
    """A setting cannot be called or be that, or there are too many. The text says which."""


class TooManyRestartsError(UsageError):
    """This direct conversation was ended and begun anew too often. It cannot be begun again."""


class OwnAccountError(UsageError):
    """That is this account itself. Choose somebody else."""


class NameTooLongError(UsageError):
    """A name has at most 64 characters."""


class TitleTooLongError(UsageError):
    """A title has at most 128 characters."""


class NoDraftError(UsageError):
    """Nothing was begun to be written in this conversation, so nothing can be sent of it."""


class ConversationReadOnlyError(UsageError):
    """This account is no longer in the conversation.

    Its history can be read, nothing can be sent.
    """


class NotAllowedError(UsageError):
    """This account's role does not allow that. Ask an admin or the owner of the conversation."""


class ContactChangedError(UsageError):
    """A verified contact's devices have changed.

    Compare safety numbers again, or accept the change, before sending.
    """


class ContactBlockedError(UsageError):
    """You have blocked this person. Unblock them before you write to them alone."""


class MessageRefusedError(UsageError):
    """The relay refused the message for good. It stays in the history, marked as failed."""


class ChangeFailedError(UsageError):
    """The change was given up.

    It is no longer possible, no longer allowed, or lost too many races.
    """


class NoKeyPackageError(TransientError):
    """The contact's devices have published no keys, so they cannot be added now.

    Try again later.
    """


class NotHolderError(UsageError):
    """This device was linked, and not confirmed yet. Do it on another, or confirm this one there.

    Linking and removing devices, giving and taking back consents, and closing the account need the
    account's own key, which a linked device gets with its second confirmation.
    """


class DeviceInQuarantineError(UsageError):
    """This device was linked less than a day ago. Was it you? Then confirm it later, or insist."""

    def __init__(self, until_ms: int) -> None:
        super().__init__()
        self.until_ms = until_ms
        """When it can be confirmed without insisting, by the relay's clock."""


class DeviceNotConfirmedError(UsageError):
    """That device was linked and not confirmed for the second time: it gets no history.

    Make sure that it is yours, confirm it with ``devices.confirm``, and try again.
    """


class OwnDevicesNotReadyError(TransientError):
    """The devices of this account have not begun to talk to each other yet. Try again later."""


class DeviceRevokedError(UsageError):
    """The relay no longer takes this device.

    It was unlinked, the account has moved, or was closed; or the relay lies. History can be read,
    unless the account's own signature says that it was removed: see ``ThisDeviceRemoved``.
    """


class AccountMovingError(UsageError):
    """The account is on its way to another device, so nothing of it can be changed here any more.

    It goes on by itself whenever the relay is reached.
    """


class AccountMovedError(UsageError):
    """The account has moved to another device. What is stored here stays; nothing can be sent."""


class MoveUnfinishedError(TransientError):
    """The account is not here yet: the other device has to reach the relay once more.

    Keep both. It goes on by itself whenever the two are open, one after the other or at once.
    """


class EngineDefectError(CorruptStateError):
    """Something in the engine failed that must not fail.

    What it was doing was given up, the rest goes on. Please report it: the log of ``e2ecore`` names
    the place, without content.
    """


class BadCheckpointError(UsageError):
    """This is no checkpoint, or one of another account. Have the other person show theirs again."""


class ChainForkedError(PeerError):
    """Somebody else was shown another chain of this account.

    Its owner, or whoever has its identity key, has signed both, and the relay shows each to
    different people. Talk to the owner in person before you trust this account again.
    """


class ChainWithheldError(PeerError):
    """Somebody else has seen more of this account's chain than the relay shows here.

    Try again later; if it stays so, the relay hides something: a removed device, a new one.
    """


class ChainInvalidError(PeerError):
    """The relay served an account chain that is forged, forked or cut short. It was not used."""


class NotComparedError(UsageError):
    """No device has come with the code yet: there is nothing to confirm. Wait for ``joined``."""


class TooManyDevicesError(UsageError):
    """The account has its most devices. Remove one that is no longer used."""


class UnknownOwnDeviceError(UsageError):
    """This account has no such device, or not any more."""


class OnlyDeviceError(UsageError):
    """This is the device that is in your hands. Remove it from another one."""
