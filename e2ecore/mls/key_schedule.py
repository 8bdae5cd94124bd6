"""The key schedule: from one epoch's init secret to all secrets of the next.

    init_secret[n-1] + commit_secret -> joiner_secret -> (+ psk_secret) welcome_secret, epoch_secret
    epoch_secret -> the nine secrets of ``EpochSecrets``

Each secret has its own class, so that mypy refuses to mix them.
Spec: RFC 9420 §8 (Key Schedule)
"""

from dataclasses import dataclass

from e2ecore.crypto.hkdf import extract, hmac
from e2ecore.crypto.secret import Secret
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.labels import derive_secret, expand_with_label, fixed_expander
from e2ecore.mls.psk import Psk, PskSecret


class InitSecret(Secret):
    """Carries one epoch's secrecy into the next."""


class CommitSecret(Secret):
    """The fresh secret at the end of an update path; all zero for a commit without one."""


class JoinerSecret(Secret):
    """What a Welcome carries to new members."""


class WelcomeSecret(Secret):
    """Encrypts the GroupInfo within a Welcome."""


class EpochSecret(Secret):
    """Root of every other secret of one epoch."""


class SenderDataSecret(Secret):
    """Hides who sent a PrivateMessage, and its generation."""


class EncryptionSecret(Secret):
    """Root of the secret tree."""


class ExporterSecret(Secret):
    """Root of what the application exports."""


class ExternalSecret(Secret):
    """Seed of the key pair to which an external commit encrypts."""


class ConfirmationKey(Secret):
    """Makes the confirmation tag: proof that a member computed the same epoch."""


class MembershipKey(Secret):
    """Makes the membership tag of a PublicMessage."""


class EpochAuthenticator(Secret):
    """Equal for two members if and only if they are in the same state."""


@dataclass(frozen=True, slots=True)
class EpochSecrets:
    """Everything derived from one epoch secret."""

    sender_data: SenderDataSecret
    encryption: EncryptionSecret
    exporter: ExporterSecret
    external: ExternalSecret
    confirmation: ConfirmationKey
    membership: MembershipKey
    resumption: Psk
    authenticator: EpochAuthenticator
    init: InitSecret


def joiner_secret(
    suite: CipherSuite, init: InitSecret, commit: CommitSecret, context: bytes
) -> JoinerSecret:
    """Derive what new members get.

    ``context`` is the encoded GroupContext of the new epoch.
    """
    prk = extract(init.raw, commit.raw, suite.hash)
    return JoinerSecret(expand_with_label(suite, prk, "joiner", context, suite.nh))


def welcome_secret(suite: CipherSuite, joiner: JoinerSecret, psk: PskSecret) -> WelcomeSecret:
    """Derive the secret that protects the GroupInfo of a Welcome."""
    member = extract(joiner.raw, psk.raw, suite.hash)
    return WelcomeSecret(derive_secret(suite, member, "welcome"))


def epoch_secret(
    suite: CipherSuite, joiner: JoinerSecret, psk: PskSecret, context: bytes
) -> EpochSecret:
    """Derive the root of the new epoch.

    ``context`` is the encoded GroupContext of the new epoch.
    """
    member = extract(joiner.raw, psk.raw, suite.hash)
    return EpochSecret(expand_with_label(suite, member, "epoch", context, suite.nh))


def epoch_secrets(suite: CipherSuite, epoch: EpochSecret) -> EpochSecrets:
    """Derive all secrets of one epoch. The epoch secret itself is not kept by anybody."""

    def derive(label: str) -> bytes:
        return fixed_expander(suite, label, b"")(epoch.raw)

    return EpochSecrets(
        sender_data=SenderDataSecret(derive("sender data")),
        encryption=EncryptionSecret(derive("encryption")),
        exporter=ExporterSecret(derive("exporter")),
        external=ExternalSecret(derive("external")),
        confirmation=ConfirmationKey(derive("confirm")),
        membership=MembershipKey(derive("membership")),
        resumption=Psk(derive("resumption")),
        authenticator=EpochAuthenticator(derive("authentication")),
        init=InitSecret(derive("init")),
    )


def export(
    suite: CipherSuite, exporter: ExporterSecret, label: str, context: bytes, size: int
) -> bytes:
    """Derive a secret for use outside of MLS. Spec: RFC 9420 §8.5 (Exporters).

    ``label`` names the purpose: different purposes get unrelated secrets. ``size`` is in bytes.
    """
    secret = derive_secret(suite, exporter.raw, label)
    hashed = suite.hash.digest(context)
    return expand_with_label(suite, secret, "exported", hashed, size)


def confirmation_tag(suite: CipherSuite, key: ConfirmationKey, transcript_hash: bytes) -> bytes:
    """Compute the tag over the confirmed transcript hash.

    Spec: RFC 9420 §6.1 (Content Authentication)
    """
    return hmac(key.raw, transcript_hash, suite.hash)
