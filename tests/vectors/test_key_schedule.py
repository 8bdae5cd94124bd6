"""Key schedule and pre-shared keys against the published vectors."""

import pytest

from e2ecore.crypto.suites import SUITES
from e2ecore.mls.codec import decode_all
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.key_schedule import (
    CommitSecret,
    InitSecret,
    epoch_secret,
    epoch_secrets,
    export,
    joiner_secret,
    welcome_secret,
)
from e2ecore.mls.psk import ExternalPskId, NamedPsk, Psk, PskSecret, psk_secret
from tests.support.cases import Case, cases

KEY_SCHEDULE = cases("mls/key-schedule.json")
PSK_SECRET = cases("mls/psk_secret.json")


@pytest.mark.spec("RFC 9420 §8 (Key Schedule)")
@pytest.mark.spec("RFC 9420 §8.1 (Group Context)")
@pytest.mark.spec("RFC 9420 §8.5 (Exporters)")
@pytest.mark.parametrize(
    "case", KEY_SCHEDULE, ids=lambda case: f"suite {case.number('cipher_suite')}"
)
def test_each_epoch_derives_the_published_secrets(case: Case) -> None:
    suite = SUITES[case.number("cipher_suite")]
    init = InitSecret(case.hex("initial_init_secret"))
    for number, epoch in enumerate(case.many("epochs")):
        context = epoch.hex("group_context")
        built = GroupContext(
            suite.code,
            case.hex("group_id"),
            number,
            epoch.hex("tree_hash"),
            epoch.hex("confirmed_transcript_hash"),
            (),
        )
        assert built.encode() == context
        assert decode_all(GroupContext.read, context) == built
        psk = PskSecret(epoch.hex("psk_secret"))
        joiner = joiner_secret(suite, init, CommitSecret(epoch.hex("commit_secret")), context)
        secrets = epoch_secrets(suite, epoch_secret(suite, joiner, psk, context))
        assert joiner.raw == epoch.hex("joiner_secret")
        assert welcome_secret(suite, joiner, psk).raw == epoch.hex("welcome_secret")
        assert secrets.sender_data.raw == epoch.hex("sender_data_secret")
        assert secrets.encryption.raw == epoch.hex("encryption_secret")
        assert secrets.exporter.raw == epoch.hex("exporter_secret")
        assert secrets.external.raw == epoch.hex("external_secret")
        assert secrets.confirmation.raw == epoch.hex("confirmation_key")
        assert secrets.membership.raw == epoch.hex("membership_key")
        assert secrets.resumption.raw == epoch.hex("resumption_psk")
        assert secrets.authenticator.raw == epoch.hex("epoch_authenticator")
        assert secrets.init.raw == epoch.hex("init_secret")
        external = suite.hpke.derive_key_pair(secrets.external.raw)
        assert external.public == epoch.hex("external_pub")
        exporter = epoch.one("exporter")
        assert export(
            suite,
            secrets.exporter,
            exporter.text("label"),
            exporter.hex("context"),
            exporter.number("length"),
        ) == exporter.hex("secret")
        init = secrets.init


@pytest.mark.spec("RFC 9420 §8.4 (Pre-Shared Keys)")
@pytest.mark.parametrize("case", PSK_SECRET, ids=lambda case: f"{len(case.many('psks'))} keys")
def test_pre_shared_keys_are_chained_in_order(case: Case) -> None:
    suite = SUITES[case.number("cipher_suite")]
    psks = [
        NamedPsk(ExternalPskId(item.hex("psk_id"), item.hex("psk_nonce")), Psk(item.hex("psk")))
        for item in case.many("psks")
    ]
    assert psk_secret(suite, psks).raw == case.hex("psk_secret")
