"""Vectors of cipher suite 0xF001: protocol/spec/60-cipher-suite.md.

Encapsulation draws from the cryptographic library, so what is sealed would differ from run to run.
Here, and only in the process of the generator, the suite gets an encapsulation that is written out
and takes its randomness from the public key that it is for.
"""

import hashlib
from typing import final

from inputs import NOW_MS, Json, filler
from mlkem768 import encapsulate as encapsulate_mlkem
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base

from e2ecore.crypto.hashes import SHA256
from e2ecore.crypto.hpke import Hpke, HpkeKeyPair, HpkePrivateKey
from e2ecore.crypto.kem import Kem
from e2ecore.crypto.kem_xwing import X_WING
from e2ecore.crypto.suites import XWING_AES128 as SUITE
from e2ecore.mls.group import Group
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.key_package import KeyPackage, KeyPackageBundle
from e2ecore.mls.key_schedule import (
    CommitSecret,
    EpochSecrets,
    InitSecret,
    epoch_secret,
    epoch_secrets,
    export,
    joiner_secret,
    welcome_secret,
)
from e2ecore.mls.labels import encrypt_with_label
from e2ecore.mls.proposals import Add
from e2ecore.mls.psk import PskSecret
from e2ecore.mls.staged import StagedCommit

MLKEM_BYTES = 1184
LABEL = b"\\.//^\\"
EPOCHS = 3


@final
class RepeatableXWing(Kem):
    """X-Wing whose n-th encapsulation to one public key is always the same."""

    def __init__(self) -> None:
        super().__init__(X_WING.code, X_WING.private_size, X_WING.public_size, X_WING.enc_size)
        self.uses: dict[bytes, int] = {}

    def derive_key_pair(self, ikm: bytes) -> HpkeKeyPair:
        """See ``Kem``."""
        return X_WING.derive_key_pair(ikm)

    def check_public(self, public: bytes) -> None:
        """See ``Kem``."""
        X_WING.check_public(public)

    def public_of(self, private: HpkePrivateKey) -> bytes:
        """See ``Kem``."""
        return X_WING.public_of(private)

    def decapsulate(self, enc: bytes, private: HpkePrivateKey) -> bytes:
        """See ``Kem``."""
        return X_WING.decapsulate(enc, private)

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """See ``Kem``."""
        self.check_public(public)
        count = self.uses[public] = self.uses.get(public, 0) + 1
        seed = hashlib.shake_256(public + count.to_bytes(4, "big")).digest(64)
        return encapsulate(public, seed)


def encapsulate(public: bytes, seed: bytes) -> tuple[bytes, bytes]:
    """EncapsulateDerand of draft-connolly-cfrg-xwing-kem: shared secret and encapsulation."""
    mlkem_secret, mlkem_enc = encapsulate_mlkem(public[:MLKEM_BYTES], seed[:32])
    x_public, x_enc = public[MLKEM_BYTES:], bytes(crypto_scalarmult_base(seed[32:]))
    x_secret = bytes(crypto_scalarmult(seed[32:], x_public))
    combined = mlkem_secret + x_secret + x_enc + x_public + LABEL
    return hashlib.sha3_256(combined).digest(), mlkem_enc + x_enc


class Stream:
    """An Rng: its n-th answer is ``filler`` of its name and n."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0

    def __call__(self, size: int, /) -> bytes:
        """Return ``size`` bytes."""
        self.calls += 1
        return filler(f"{self.name} {self.calls}", size)


def encryption() -> list[Json]:
    """EncryptWithLabel, RFC 9420 §5.1.3 (Public Key Encryption)."""
    found: list[Json] = []
    for number, size in enumerate((0, 32, 1000)):
        ikm = filler(f"ikm {number}", 32)
        pair = SUITE.hpke.derive_key_pair(ikm)
        context, plaintext = filler("context", 40 * number), filler("plaintext", size)
        enc, sealed = encrypt_with_label(SUITE, pair.public, "TestLabel", context, plaintext)
        found.append(
            {
                "what": "encryption",
                "ikm": ikm.hex(),
                "private": pair.private.raw.hex(),
                "public": pair.public.hex(),
                "label": "TestLabel",
                "context": context.hex(),
                "plaintext": plaintext.hex(),
                "kem_output": enc.hex(),
                "ciphertext": sealed.hex(),
            }
        )
    return found


def key_schedule() -> list[Json]:
    """One chain of epochs, RFC 9420 §8 (Key Schedule)."""
    init, found = InitSecret(filler("init secret", 32)), list[Json]()
    for epoch in range(EPOCHS):
        given = {
            "init_secret": init.raw,
            "tree_hash": filler(f"tree hash {epoch}", 32),
            "confirmed_transcript_hash": filler(f"confirmed hash {epoch}", 32),
            "commit_secret": filler(f"commit secret {epoch}", 32),
            "psk_secret": filler(f"psk secret {epoch}", 32),
        }
        secrets, derived = _epoch(epoch, given)
        every = {name: value.hex() for name, value in (given | derived).items()}
        found.append({"what": "key schedule", "group_id": GROUP_ID.hex(), "epoch": epoch} | every)
        init = secrets.init
    return found


def _epoch(epoch: int, given: dict[str, bytes]) -> tuple[EpochSecrets, dict[str, bytes]]:
    confirmed = given["confirmed_transcript_hash"]
    context = GroupContext(SUITE.code, GROUP_ID, epoch, given["tree_hash"], confirmed, ()).encode()
    psk = PskSecret(given["psk_secret"])
    init, commit = InitSecret(given["init_secret"]), CommitSecret(given["commit_secret"])
    joiner = joiner_secret(SUITE, init, commit, context)
    secrets = epoch_secrets(SUITE, epoch_secret(SUITE, joiner, psk, context))
    external = SUITE.hpke.derive_key_pair(secrets.external.raw)
    return secrets, {
        "group_context": context,
        "joiner_secret": joiner.raw,
        "welcome_secret": welcome_secret(SUITE, joiner, psk).raw,
        "sender_data_secret": secrets.sender_data.raw,
        "encryption_secret": secrets.encryption.raw,
        "exporter_secret": secrets.exporter.raw,
        "epoch_authenticator": secrets.authenticator.raw,
        "external_secret": secrets.external.raw,
        "external_pub": external.public,
        "confirmation_key": secrets.confirmation.raw,
        "membership_key": secrets.membership.raw,
        "resumption_psk": secrets.resumption.raw,
        "next_init_secret": secrets.init.raw,
        "exported": export(SUITE, secrets.exporter, "label", b"context", 48),
    }


GROUP_ID = filler("group", 16)


def _say(sender: Group, name: str) -> dict[str, Json]:
    plaintext, header = filler(f"{name} says", 40), filler(f"{name} header", 5)
    signer = SUITE.signature.load(filler(name, 32))
    message = sender.protect(
        plaintext, authenticated_data=header, signer=signer, rng=Stream(f"{name} guard")
    )
    return {
        "kind": "application",
        "message": message.hex(),
        "authenticated_data": header.hex(),
        "plaintext": plaintext.hex(),
    }


def member() -> list[Json]:
    """The life of a member: welcome, message, commit, messages."""
    alice_key, bob_key = (SUITE.signature.load(filler(name, 32)) for name in ("alice", "bob"))
    alice_rng, bob_rng = Stream("alice draws"), Stream("bob draws")
    alice = Group.create(SUITE, GROUP_ID, alice_key, b"alice", now_ms=NOW_MS, rng=alice_rng)
    bundle = KeyPackageBundle.generate(SUITE, bob_key, b"bob", now_ms=NOW_MS, rng=bob_rng)
    add = Add(KeyPackage.decode(bundle.message))
    first = alice.create_commit((add,), signer=alice_key, now_ms=NOW_MS, rng=alice_rng)
    alice.merge(first.staged, now_ms=NOW_MS)
    welcome = first.welcome or b""
    bob = Group.join(welcome, bundle, now_ms=NOW_MS)
    found: dict[str, Json] = {
        "what": "member",
        "signature_priv": bob_key.private.hex(),
        "encryption_priv": bundle.encryption_key.raw.hex(),
        "init_priv": bundle.init_key.raw.hex(),
        "key_package": bundle.message.hex(),
        "welcome": welcome.hex(),
        "epoch_authenticator": bob.epoch_authenticator.hex(),
    }
    messages: list[Json] = [_say(alice, "alice")]
    second = alice.create_commit(signer=alice_key, now_ms=NOW_MS, rng=alice_rng)
    staged = bob.receive(second.commit, now_ms=NOW_MS)
    if isinstance(staged, StagedCommit):
        bob.merge(staged, now_ms=NOW_MS)
    alice.merge(second.staged, now_ms=NOW_MS)
    commit, after = second.commit.hex(), alice.epoch_authenticator.hex()
    messages.append({"kind": "commit", "message": commit, "epoch_authenticator": after})
    messages += [_say(alice, "alice"), _say(alice, "alice"), _say(bob, "bob")]
    return [found | {"messages": messages}]


def suite_f001() -> list[Json]:
    """All vectors of the suite."""
    object.__setattr__(SUITE, "hpke", Hpke(RepeatableXWing(), SHA256, SUITE.aead))
    return [*encryption(), *key_schedule(), *member()]
