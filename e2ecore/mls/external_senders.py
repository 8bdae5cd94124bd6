"""Who may propose from outside of a group.

Spec: RFC 9420 §12.1.8.1 (External Senders Extension).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.codec import Reader, decode_all, opaque, vector
from e2ecore.mls.credential_policy import Claim, CredentialPolicy, Occasion
from e2ecore.mls.credentials import Credential, read_credential
from e2ecore.mls.extensions import Extension, ExtensionType, find_extension


@dataclass(frozen=True, slots=True)
class ExternalSender:
    """A party outside of the group whose proposals its members take."""

    signature_key: bytes
    credential: Credential

    def encode(self) -> bytes:
        """Return the ExternalSender."""
        return opaque(self.signature_key) + self.credential.encode()

    @classmethod
    def read(cls, reader: Reader) -> "ExternalSender":
        """Read an ExternalSender."""
        return cls(reader.opaque(), read_credential(reader))


def senders_extension(senders: Iterable[ExternalSender]) -> Extension:
    """Return the extension of the group context that admits these senders, in this order."""
    return Extension(ExtensionType.EXTERNAL_SENDERS, vector(map(ExternalSender.encode, senders)))


def external_senders(extensions: Iterable[Extension]) -> tuple[ExternalSender, ...]:
    """Return the senders that a group admits; none if its extensions say nothing.

    Raises:
        MalformedMessageError: The extension is there and does not decode.
    """
    data = find_extension(extensions, ExtensionType.EXTERNAL_SENDERS)
    return () if data is None else decode_all(_read_senders, data)


def check_senders(suite: CipherSuite, extensions: Iterable[Extension]) -> None:
    """Check that the extension decodes, if it is there, and that its keys are usable.

    Raises:
        MalformedMessageError: It does not decode.
        InvalidKeyError: A key cannot be one of this suite.
    """
    for sender in external_senders(extensions):
        suite.signature.check_public(sender.signature_key)


def judge_senders(
    policy: CredentialPolicy,
    group_id: bytes,
    before: Iterable[Extension],
    now: Iterable[Extension],
) -> None:
    """Ask about the senders that are new.

    Raises:
        CredentialError: The policy refuses one; it may raise others.
    """
    known = external_senders(before)
    for sender in external_senders(now):
        if sender not in known:
            policy(
                Claim(Occasion.EXTERNAL_SENDER, sender.credential, sender.signature_key, group_id)
            )


def _read_senders(reader: Reader) -> tuple[ExternalSender, ...]:
    return tuple(reader.vector(ExternalSender.read))
