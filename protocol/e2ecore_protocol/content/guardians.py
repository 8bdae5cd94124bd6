"""What ward and guardian say to each other, in their direct conversation.

Spec: protocol/spec/85-guardians.md
"""

from dataclasses import dataclass
from typing import ClassVar

from e2ecore_protocol.chain.record import SALT_BYTES
from e2ecore_protocol.content.kind import Content
from e2ecore_protocol.family_limits import (
    GUARDIAN_LINK_ID_BYTES,
    MAX_GUARDIAN_DOCUMENT_BYTES,
    MAX_NOTICE_BYTES,
)
from e2ecore_protocol.limits import CONSENT_ID_BYTES, MAX_CONSENT_RECORD_BYTES
from e2ecore_protocol.shape import Check, blob, exactly, text

_notice = text(MAX_NOTICE_BYTES, 1, max_bytes=MAX_NOTICE_BYTES)


@dataclass(frozen=True, slots=True)
class GuardianInvitation(Content):
    """The ward asks somebody to be the guardian.

    ``link`` is an encoded GuardianLink that the ward has signed, with no signature of the guardian
    yet. ``notice`` is the text that the ward was shown, and the guardian is to be shown.
    """

    KIND: ClassVar[int] = 32
    SHAPE: ClassVar[tuple[Check[object], ...]] = (blob(MAX_GUARDIAN_DOCUMENT_BYTES, 1), _notice)
    link: bytes
    notice: str


@dataclass(frozen=True, slots=True)
class GuardianRequest(Content):
    """The ward wants to agree to something: all that the guardian needs to decide.

    ``record`` is the encoded ConsentRecord, ``notice`` the text that the ward was shown.
    """

    KIND: ClassVar[int] = 33
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(GUARDIAN_LINK_ID_BYTES),
        blob(MAX_CONSENT_RECORD_BYTES, 1),
        exactly(SALT_BYTES),
        _notice,
    )
    link_id: bytes
    record: bytes
    salt: bytes
    notice: str


@dataclass(frozen=True, slots=True)
class GuardianRefusal(Content):
    """The guardian does not want to. ``about`` is the id of the link or of the consent."""

    KIND: ClassVar[int] = 34
    SHAPE: ClassVar[tuple[Check[object], ...]] = (exactly(CONSENT_ID_BYTES),)
    about: bytes
