"""A member that only listens: plays the passive-client vectors."""

from e2ecore.crypto.suites import SUITES
from e2ecore.mls.group import Group, ReceivedProposal, StagedCommit
from e2ecore.mls.key_package import KeyPackage, KeyPackageBundle
from e2ecore.mls.message import decode_message
from e2ecore.mls.rows import MemoryRows
from tests.support.cases import Case


def external_psks(case: Case) -> dict[bytes, bytes]:
    return {item.hex("psk_id"): item.hex("psk") for item in case.many("external_psks")}


def join(case: Case) -> Group:
    """Join by the case's Welcome and compare the first epoch."""
    package = decode_message(case.hex("key_package"))
    assert isinstance(package, KeyPackage)
    suite = SUITES[case.number("cipher_suite")]
    init, own = (case.hpke_key(name, suite) for name in ("init_priv", "encryption_priv"))
    assert suite.hpke.kem.public_of(init) == package.init_key
    assert suite.hpke.kem.public_of(own) == package.leaf_node.encryption_key
    assert case.signing_key("signature_priv", suite).public == package.leaf_node.signature_key
    group = Group.join(
        case.hex("welcome"),
        KeyPackageBundle(package, init, own),
        ratchet_tree=case.maybe_hex("ratchet_tree"),
        psks=external_psks(case),
        now_ms=None,
        max_lifetime_s=None,
    )
    assert group.epoch_authenticator == case.hex("initial_epoch_authenticator")
    return group


def follow(group: Group, case: Case, *, reload: bool) -> Group:
    """Process every epoch's proposals and commit, and compare the epoch authenticators."""
    disk, psks = MemoryRows(), external_psks(case)
    for epoch in case.many("epochs"):
        for proposal in epoch.hexes("proposals"):
            received = group.receive(proposal, now_ms=None)
            assert isinstance(received, ReceivedProposal)
        if reload:
            disk.store(group.take_changes())
            group = Group.load(disk)
        staged = group.receive(epoch.hex("commit"), now_ms=None, psks=psks, max_lifetime_s=None)
        assert isinstance(staged, StagedCommit)
        group.merge(staged, now_ms=0)
        assert group.epoch_authenticator == epoch.hex("epoch_authenticator")
        if reload:
            disk.store(group.take_changes())
            group = Group.load(disk)
    return group
