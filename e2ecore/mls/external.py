"""What both sides of an external commit compute: new members who add themselves.

Spec: RFC 9420 §12.4.3.2 (Joining via External Commits).
"""

from typing import Final

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.key_schedule import ExternalSecret, InitSecret

EXTERNAL_INIT_LABEL: Final = b"MLS 1.0 external init secret"
"""Spec: RFC 9420 §8.3 (External Initialization)."""


def external_init_secret(
    suite: CipherSuite, external: ExternalSecret, kem_output: bytes
) -> InitSecret:
    """Return the init secret that a new member chose.

    Spec: RFC 9420 §8.3 (External Initialization).

    Raises:
        DecryptionError: ``kem_output`` is not an encapsulated key.
    """
    pair = suite.hpke.derive_key_pair(external.raw)
    return InitSecret(
        suite.hpke.export_receiver(kem_output, pair.private, b"", EXTERNAL_INIT_LABEL, suite.nh)
    )
