"""The two running hashes over all commits of a group. Spec: RFC 9420 §8.2 (Transcript Hashes)."""

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.codec import opaque


def confirmed_hash(suite: CipherSuite, interim_before: bytes, confirmed_input: bytes) -> bytes:
    """Hash one more commit.

    ``interim_before`` is the interim hash of the epoch in which the commit was sent,
    ``confirmed_input`` the commit's encoded ConfirmedTranscriptHashInput.
    """
    return suite.hash.digest(interim_before + confirmed_input)


def interim_hash(suite: CipherSuite, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """Add the commit's confirmation tag, as input for the commit after it."""
    return suite.hash.digest(confirmed + opaque(confirmation_tag))
