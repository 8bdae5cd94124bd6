"""The account chain: entries, rules and the state they add up to.

An account is one append-only, hash-linked, signed list. The relay keeps it, everybody checks it.
Spec: protocol/spec/80-chain-and-consent.md
"""

from e2ecore_protocol.chain.bodies import (
    BODIES,
    HISTORY_TRANSFER,
    MULTI_DEVICE_SYNC,
    AccountClosed,
    Body,
    ConsentGranted,
    ConsentWithdrawn,
    DeviceAdded,
    DeviceRemoved,
    Genesis,
    RemovalReason,
    is_critical,
)
from e2ecore_protocol.chain.checkpoint import CHECKPOINT_VERSION, Checkpoint
from e2ecore_protocol.chain.entry import (
    ENTRY_VERSION,
    Entry,
    Sign,
    account_id_of,
    device_id_of,
    possession_message,
    sign_entry,
)
from e2ecore_protocol.chain.errors import (
    ChainError,
    ChainForkError,
    ChainInvalidError,
    ConsentMissingError,
    UnknownCriticalEntryError,
)
from e2ecore_protocol.chain.record import (
    ConsentRecord,
    Controller,
    Times,
    commitment,
    hash_of_notice,
)
from e2ecore_protocol.chain.state import (
    AccountState,
    Consent,
    Device,
    Verify,
    check_head,
    extend,
    genesis_entry,
    start,
)

__all__ = [
    "BODIES",
    "CHECKPOINT_VERSION",
    "ENTRY_VERSION",
    "HISTORY_TRANSFER",
    "MULTI_DEVICE_SYNC",
    "AccountClosed",
    "AccountState",
    "Body",
    "ChainError",
    "ChainForkError",
    "ChainInvalidError",
    "Checkpoint",
    "Consent",
    "ConsentGranted",
    "ConsentMissingError",
    "ConsentRecord",
    "ConsentWithdrawn",
    "Controller",
    "Device",
    "DeviceAdded",
    "DeviceRemoved",
    "Entry",
    "Genesis",
    "RemovalReason",
    "Sign",
    "Times",
    "UnknownCriticalEntryError",
    "Verify",
    "account_id_of",
    "check_head",
    "commitment",
    "device_id_of",
    "extend",
    "genesis_entry",
    "hash_of_notice",
    "is_critical",
    "possession_message",
    "sign_entry",
    "start",
]
