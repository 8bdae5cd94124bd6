"""What a primitive says no with. No exception of a foreign library leaves this package."""

from e2ecore.errors import PeerError, UsageError


class DecryptionError(PeerError):
    """A ciphertext is not authentic under this key. It was dropped; nothing was revealed."""


class SignatureError(PeerError):
    """A signature does not belong to this message and key. The signed object was dropped."""


class InvalidKeyError(PeerError):
    """A received public key or key share is unsafe: wrong size, off the curve, or of low order."""


class KeyMaterialError(UsageError):
    """A key, nonce, salt or seed that the caller gave has a size or form the algorithm forbids."""
