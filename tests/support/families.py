"""A child's account and its guardian's, by bare documents: right ones, and forged ones."""

import os
from dataclasses import replace

from e2ecore_protocol.chain.bodies import Body, ConsentGranted
from e2ecore_protocol.chain.entry import Entry
from e2ecore_protocol.guardians import (
    NOT_SIGNED,
    EndingScope,
    GuardianApproval,
    GuardianEnding,
    GuardianLink,
    GuardianRetraction,
)
from tests.support.raw_client import KeyPair, Person


class Family:
    """A ward and a guardian who sign what they are asked to."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.ward, self.guardian = Person("child"), Person("parent")
        self.link_id = os.urandom(16)

    def link(
        self, *, by: Person | None = None, guardian_key: KeyPair | None = None, age_ms: int = 0
    ) -> GuardianLink:
        """A link; ``by`` is somebody else as guardian, ``guardian_key`` who signs for them."""
        other = by or self.guardian
        bare = GuardianLink(
            self.link_id, self.ward.account_id, other.account_id, self.now_ms - age_ms,
            bytes(32), NOT_SIGNED, NOT_SIGNED,
        )  # fmt: skip
        message = bare.signed_message()
        signed = replace(bare, ward_signature=self.ward.identity.sign(message))
        return signed.signed_by_guardian((guardian_key or other.identity).sign(message))

    def approval(
        self, granted: ConsentGranted, *, key: KeyPair | None = None, age_ms: int = 0
    ) -> GuardianApproval:
        """An approval of a consent."""
        bare = GuardianApproval(
            self.link_id, self.ward.account_id, granted.consent_id, granted.purpose,
            granted.notice_hash, granted.commitment, granted.expires_ms, self.now_ms - age_ms,
            NOT_SIGNED,
        )  # fmt: skip
        return self.signed(bare, key)

    def signed(self, approval: GuardianApproval, key: KeyPair | None = None) -> GuardianApproval:
        """The same, signed anew."""
        signature = (key or self.guardian.identity).sign(approval.signed_message())
        return replace(approval, signature=signature)

    def retraction(self, granted: ConsentGranted, key: KeyPair | None = None) -> GuardianRetraction:
        """An approval taken back."""
        bare = GuardianRetraction(
            self.link_id, self.ward.account_id, granted.consent_id, NOT_SIGNED
        )
        signature = (key or self.guardian.identity).sign(bare.signed_message())
        return replace(bare, signature=signature)

    def ending(self, who: Person, scope: EndingScope, key: KeyPair | None = None) -> GuardianEnding:
        """What one of the two wants to end."""
        bare = GuardianEnding(self.link_id, who.account_id, scope, NOT_SIGNED)
        return replace(bare, signature=(key or who.identity).sign(bare.signed_message()))

    def grow(self, body: Body) -> Entry:
        """The ward's next entry, which the relay is expected to take."""
        entry = self.ward.entry(body)
        self.ward.entries.append(entry)
        return entry


def consent(purpose: str = "presence", expires_ms: int | None = None) -> ConsentGranted:
    """What the chain is to say of a new consent."""
    return ConsentGranted(os.urandom(16), purpose, bytes(32), os.urandom(32), expires_ms)
