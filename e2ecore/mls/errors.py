"""Why an MLS object was refused. Whatever raises one of these has changed nothing."""

from e2ecore.errors import PeerError, UsageError


class MlsError(PeerError):
    """A peer sent an MLS object that must not be used. It was dropped. Nothing changed."""


class MalformedMessageError(MlsError):
    """These bytes are not the encoding of what they claim to be. They were dropped."""


class UnsupportedError(MlsError):
    """The object wants a version, cipher suite, credential or extension that this library lacks."""


class InvalidLeafNodeError(MlsError):
    """A leaf node breaks a rule. The member, or the proposal that brings it, is not accepted."""


class ExpiredError(InvalidLeafNodeError):
    """A leaf node's lifetime is over, not begun, or longer than allowed. Ask for a newer one."""


class CredentialError(MlsError):
    """A client's claim about who it is was not accepted. Nothing of it takes effect."""


class InvalidKeyPackageError(MlsError):
    """A key package breaks a rule. Its owner cannot be added with it; fetch another one."""


class InvalidTreeError(MlsError):
    """A ratchet tree breaks a rule. The group it belongs to is not joined."""


class InvalidUpdatePathError(MlsError):
    """A commit's new keys do not fit the tree, or are not what was promised. It is not merged."""


class InvalidProposalError(MlsError):
    """A proposal breaks a rule. It is not stored, and no commit may contain it."""


class InvalidCommitError(MlsError):
    """A commit breaks a rule. It is not merged; the group stays in its epoch."""


class InvalidWelcomeError(MlsError):
    """A welcome breaks a rule. The group is not joined."""


class InvalidGroupInfoError(InvalidWelcomeError):
    """A group's state, in a welcome or published, breaks a rule. The group is not joined."""


class ConfirmationError(InvalidCommitError):
    """The confirmation tag does not match: the sender computed another next epoch than we did."""


class PathSecretError(InvalidUpdatePathError):
    """The secret that a commit holds for us does not open, or is not what the commit promised.

    Others may be able to open theirs.
    """


class UnknownProposalError(InvalidProposalError):
    """A commit names a proposal that did not come here. It is not merged."""


class WrongGroupError(MlsError):
    """The message belongs to another group."""


class UnknownSenderError(MlsError):
    """The message names a sender that is not a member."""


class DuplicateMessageError(MlsError):
    """The key of this message was used and deleted: it is a repeat, or our own. Nothing to do."""


class GenerationTooFarError(MlsError):
    """The message skips more generations than a receiver computes ahead. It was dropped."""


class GenerationTooOldError(MlsError):
    """The message is older than the window of kept keys. It can never be read here."""


class GenerationExhaustedError(UsageError):
    """No generation number is left in this epoch. Commit first, then send again."""


class MembershipTagError(MlsError):
    """The membership tag does not match: the sender is not a member of this epoch."""


class EpochTooOldError(MlsError):
    """The secrets of the message's epoch are deleted. It can never be read here."""


class EpochInFutureError(MlsError):
    """The message belongs to an epoch that is not reached yet. Keep it until the commit came."""


class UnknownPskError(MlsError):
    """A pre-shared key is named that we do not have."""


class MembershipError(UsageError):
    """The call needs a member that is not there, or is the wrong one."""


class PendingChangeError(UsageError):
    """The group's state does not allow this call now: a commit or a reinit stands in the way."""


class OwnMessageError(MlsError):
    """The message names ourselves as its sender, and we have not sent it. It was dropped."""


class RemovedFromGroupError(UsageError):
    """We are no longer a member, and the group's secrets are deleted. Ask to be added again."""


class StaleCommitError(UsageError):
    """Another commit ended the epoch first. Discard this one and make a new one."""
