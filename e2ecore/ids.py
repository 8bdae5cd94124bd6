"""Identifiers. Distinct types, so that mypy refuses to mix them."""

from typing import NewType

AccountId = NewType("AccountId", bytes)
"""20 bytes: the start of SHA-256 over the account's genesis entry."""

DeviceId = NewType("DeviceId", bytes)
"""16 bytes: the start of SHA-256 over the device's Ed25519 public key."""

GroupId = NewType("GroupId", bytes)
"""16 bytes: names an MLS group, and the conversation it carries, at the relay."""

Epoch = NewType("Epoch", int)
"""One state of one MLS group, from 0 on."""

LeafIndex = NewType("LeafIndex", int)
"""A member's place among the leaves of a ratchet tree, from 0 on."""

NodeIndex = NewType("NodeIndex", int)
"""A place in the array that represents a ratchet tree; leaves have even numbers."""

EnvelopeId = NewType("EnvelopeId", bytes)
"""16 bytes chosen by the sender: 6 bytes of milliseconds, then 10 random bytes."""

MessageId = NewType("MessageId", bytes)
"""16 bytes chosen by the sender; travels inside the ciphertext."""

Seq = NewType("Seq", int)
"""The gapless number that the relay gave an envelope within its log, from 1 on."""
