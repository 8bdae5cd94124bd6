"""Vectors of what ward and guardian sign: good documents, and encodings with one fault."""

from dataclasses import replace

from inputs import NOW_MS, Json, filler, public, signer
from relay_frames import ACCOUNT, OTHER

from e2ecore_protocol.codec import Wire, pack
from e2ecore_protocol.guardians import (
    NOT_SIGNED,
    GuardianApproval,
    GuardianDocument,
    GuardianEnding,
    GuardianLink,
    GuardianRetraction,
)

LINK_ID, CONSENT_ID = filler("guardian link", 16), filler("consent of a child", 16)
_by_ward, _by_guardian = signer("ward"), signer("guardian")


def link() -> GuardianLink:
    """Return a link that both have signed."""
    bare = GuardianLink(
        LINK_ID, ACCOUNT, OTHER, NOW_MS, filler("guardian notice", 32), NOT_SIGNED, NOT_SIGNED
    )
    message = bare.signed_message()
    return replace(bare, ward_signature=_by_ward(message)).signed_by_guardian(_by_guardian(message))


def approval(expires_ms: int | None = None) -> GuardianApproval:
    """Return an approval."""
    bare = GuardianApproval(
        *(LINK_ID, ACCOUNT, CONSENT_ID, "presence", filler("notice", 32)),
        *(filler("commitment", 32), expires_ms, NOW_MS, NOT_SIGNED),
    )
    return replace(bare, signature=_by_guardian(bare.signed_message()))


def retraction() -> GuardianRetraction:
    """Return a retraction."""
    bare = GuardianRetraction(LINK_ID, ACCOUNT, CONSENT_ID, NOT_SIGNED)
    return replace(bare, signature=_by_guardian(bare.signed_message()))


def ending(account_id: bytes, scope: int, key: str) -> GuardianEnding:
    """Return what one of the two says."""
    bare = GuardianEnding(LINK_ID, account_id, scope, NOT_SIGNED)
    return replace(bare, signature=signer(key)(bare.signed_message()))


GOOD: dict[str, tuple[GuardianDocument, dict[str, bytes]]] = {
    "link": (
        link(),
        {"ward": link().ward_signature, "guardian": link().guardian_signature},
    ),
    "approval": (approval(), {"guardian": approval().signature}),
    "approval that ends": (
        approval(NOW_MS + 1),
        {"guardian": approval(NOW_MS + 1).signature},
    ),
    "retraction": (retraction(), {"guardian": retraction().signature}),
    "ending by the ward": (
        ending(ACCOUNT, 2, "ward"),
        {"ward": ending(ACCOUNT, 2, "ward").signature},
    ),
    "ending by the guardian": (
        ending(OTHER, 1, "guardian"),
        {"guardian": ending(OTHER, 1, "guardian").signature},
    ),
}


def malformed() -> dict[str, bytes]:
    """Return encodings with one fault."""
    approved = approval().to_fields()

    def changed(place: int, value: Wire) -> bytes:
        return pack((2, *approved[:place], value, *approved[place + 1 :]))

    return {
        "nothing": pack(()),
        "unknown type": pack((5, LINK_ID)),
        "a type that is true": pack((True, *link().to_fields())),
        "link without the guardian's signature field": pack((1, *link().to_fields()[:-1])),
        "short link id": changed(0, bytes(15)),
        "short account id": changed(1, bytes(19)),
        "purpose with a capital": changed(3, "Presence"),
        "half a commitment": changed(5, bytes(16)),
        "expiry as text": changed(6, "never"),
        "short signature": changed(8, bytes(63)),
        "ending of nothing": pack((4, LINK_ID, ACCOUNT, 0, NOT_SIGNED)),
        "ending of more than there is": pack((4, LINK_ID, ACCOUNT, 3, NOT_SIGNED)),
        "a byte behind": link().encode() + b"\x00",
        "beyond 512 bytes": changed(3, "a" * 600),
    }


def guardian_documents() -> list[Json]:
    """Return the vectors of guardians.json."""
    found: list[Json] = [
        {
            "name": name,
            "expect": "ok",
            "encoded": document.encode().hex(),
            "signed_message": document.signed_message().hex(),
            "signatures": {
                key: {"key": public(key).hex(), "signature": signature.hex()}
                for key, signature in signatures.items()
            },
        }
        for name, (document, signatures) in GOOD.items()
    ]
    found += [
        {"name": name, "expect": "malformed", "encoded": data.hex()}
        for name, data in malformed().items()
    ]
    return found
