"""Credentials of any kind are carried; the application's policy judges each new or changed one."""

from dataclasses import dataclass, field

import pytest

from e2ecore.crypto.suites import SUITES
from e2ecore.mls.credential_policy import Claim, Occasion, accept_basic
from e2ecore.mls.credentials import BasicCredential, Credential, CredentialType, X509Credential
from e2ecore.mls.errors import CredentialError, UnsupportedError
from e2ecore.mls.external_senders import ExternalSender, senders_extension
from e2ecore.mls.group import Group, PendingCommit, StagedCommit
from e2ecore.mls.key_package import KeyPackage, KeyPackageBundle
from e2ecore.mls.nodes import Capabilities
from e2ecore.mls.outside import PublishedGroup
from e2ecore.mls.own_leaf import LeafChange
from e2ecore.mls.proposals import Add, GroupContextExtensions
from tests.support.mls_external import in_clear
from tests.support.mls_groups import NOW_MS, Device, add, agree, everybody, pass_on

BOTH = Capabilities(cipher_suites=(1,), credentials=(CredentialType.BASIC, CredentialType.X509))


@dataclass
class Authority:
    """A policy that knows keys by their owners, and writes down what it was asked."""

    keys: dict[bytes, bytes] = field(default_factory=dict)
    asked: list[Claim] = field(default_factory=list)

    def certify(self, device: Device) -> X509Credential:
        """Return a chain of one (pretended) certificate and its issuer's."""
        leaf = b"certificate of " + device.signer.public
        self.keys[leaf] = device.signer.public
        return X509Credential((leaf, b"issuer"))

    def __call__(self, claim: Claim, /) -> None:
        self.asked.append(claim)
        credential = claim.credential
        if not isinstance(credential, X509Credential):
            raise CredentialError("not a certificate")
        if self.keys.get(credential.certificates[0]) != claim.signature_key:
            raise CredentialError("not the certificate of this key")

    def occasions(self) -> list[tuple[Occasion, int | None]]:
        asked, self.asked = self.asked, []
        return [(claim.occasion, claim.leaf) for claim in asked]


def bundle_of(device: Device, credential: Credential) -> KeyPackageBundle:
    return KeyPackageBundle.generate(
        device.suite, device.signer, credential, now_ms=NOW_MS, rng=device.rng, capabilities=BOTH
    )


class Certified:
    """Alice and bob, with certificates."""

    def __init__(self) -> None:
        self.authority = Authority()
        self.alice, self.bob = Device("alice"), Device("bob")
        certificate = self.authority.certify(self.alice)
        self.alice._group = Group.create(
            SUITES[1],
            b"conversation",
            self.alice.signer,
            certificate,
            capabilities=BOTH,
            now_ms=NOW_MS,
            rng=self.alice.rng,
        )
        bundle = bundle_of(self.bob, self.authority.certify(self.bob))
        pending = self.commit(self.alice, add(bundle))
        self.alice.merge(pending.staged)
        assert pending.welcome is not None
        self.bob._group = Group.join(pending.welcome, bundle, now_ms=NOW_MS, policy=self.authority)
        self.bob.save()

    def commit(
        self,
        device: Device,
        *proposals: Add | GroupContextExtensions,
        leaf: LeafChange | None = None,
    ) -> PendingCommit:
        return device.group.create_commit(
            proposals,
            signer=device.signer,
            now_ms=NOW_MS,
            rng=device.rng,
            leaf=leaf or LeafChange(),
            policy=self.authority,
        )

    def stage(self, device: Device, message: bytes) -> StagedCommit:
        received = device.group.receive(message, now_ms=NOW_MS, policy=self.authority)
        assert isinstance(received, StagedCommit)
        return received


@pytest.mark.spec("RFC 9420 §5.3 (Credentials)")
@pytest.mark.spec("RFC 9420 §5.3.1 (Credential Validation)")
def test_certificates_are_carried_through_the_life_of_a_group() -> None:
    both = Certified()
    alice, bob = both.alice, both.bob
    assert both.authority.occasions() == [(Occasion.ADDED, 1), (Occasion.FOUND, 0)]
    late = alice.send(b"late")
    renewed = alice.suite.signature.generate(alice.rng)
    old, alice.signer = alice.signer, renewed
    certificate = both.authority.certify(alice)
    alice.signer = old
    change = LeafChange(signer=renewed, credential=certificate)
    pending = PendingCommit.decode(both.commit(alice, leaf=change).encode(), alice.reload())
    bob.merge(both.stage(bob, pending.commit))
    alice.merge(pending.staged)
    alice.signer = renewed
    assert both.authority.occasions() == [(Occasion.CHANGED, 0)]
    alice.reload()
    bob.reload()
    assert agree([alice, bob])
    (before, now) = bob.read(late).sender, bob.group.member(0)
    assert now is not None
    assert (before.signature_key, now.signature_key) == (old.public, renewed.public)
    assert now.credential == certificate != before.credential
    assert now.identity == b""
    assert bob.read(alice.send(b"new key")).sender == now


@pytest.mark.spec("RFC 9420 §5.3.1 (Credential Validation)")
def test_unjudged_certificates_are_refused_everywhere() -> None:
    both = Certified()
    alice, bob, carol = both.alice, both.bob, Device("carol")
    bundle = bundle_of(carol, both.authority.certify(carol))
    proposed = Add(KeyPackage.decode(bundle.message))
    with pytest.raises(CredentialError):
        alice.commit(proposed)
    with pytest.raises(CredentialError):
        alice.group.propose_add(bundle.message, signer=alice.signer, rng=alice.rng, now_ms=NOW_MS)
    pending = both.commit(alice, proposed)
    with pytest.raises(CredentialError):
        bob.stage(pending.commit)
    with pytest.raises(CredentialError):
        bob.take(in_clear(alice, proposed))
    info = alice.group.group_info(signer=alice.signer)
    with pytest.raises(CredentialError):
        PublishedGroup.read(info, now_ms=NOW_MS)
    with pytest.raises(CredentialError):
        Group.join_by_commit(
            info, carol.signer, b"carol", capabilities=BOTH, now_ms=NOW_MS, rng=carol.rng
        )
    bob.merge(both.stage(bob, pending.commit))
    alice.merge(pending.staged)
    assert pending.welcome is not None
    with pytest.raises(CredentialError):
        carol.join(pending.welcome, bundle)
    carol._group = Group.join(pending.welcome, bundle, now_ms=NOW_MS, policy=both.authority)
    assert agree([alice, bob, carol])


@pytest.mark.spec("RFC 9420 §5.3.1 (Credential Validation)")
def test_certificate_of_another_key_is_refused_and_nothing_changes() -> None:
    both = Certified()
    bob, mallory = both.bob, Device("mallory")
    stolen = both.authority.certify(Device("carol"))
    bundle = bundle_of(mallory, stolen)
    with pytest.raises(CredentialError):
        both.commit(both.alice, add(bundle))
    pending = both.alice.group.create_commit(
        [add(bundle)],
        signer=both.alice.signer,
        now_ms=NOW_MS,
        rng=both.alice.rng,
        policy=lambda _: None,
    )
    before = dict(bob.disk.rows)
    with pytest.raises(CredentialError):
        both.stage(bob, pending.commit)
    bob.save()
    assert bob.disk.rows == before
    bob.merge(both.stage(bob, both.commit(both.alice).commit))


@pytest.mark.spec("RFC 9420 §5.3.1 (Credential Validation)")
def test_newcomer_by_commit_is_judged_by_members_and_judges_them() -> None:
    both = Certified()
    alice, bob, carol = both.alice, both.bob, Device("carol")
    both.authority.asked.clear()
    pending = Group.join_by_commit(
        alice.group.group_info(signer=alice.signer),
        carol.signer,
        both.authority.certify(carol),
        capabilities=BOTH,
        policy=both.authority,
        now_ms=NOW_MS,
        rng=carol.rng,
    )
    assert both.authority.occasions() == [(Occasion.FOUND, 0), (Occasion.FOUND, 1)]
    with pytest.raises(CredentialError):
        bob.stage(pending.commit)
    for device in (alice, bob):
        device.merge(both.stage(device, pending.commit))
        assert both.authority.occasions() == [(Occasion.ADDED, 2)]
    carol.enter(pending)
    again = Device("carol")
    pending = Group.join_by_commit(
        alice.group.group_info(signer=alice.signer),
        again.signer,
        both.authority.certify(again),
        capabilities=BOTH,
        resync=True,
        policy=both.authority,
        now_ms=NOW_MS,
        rng=Device("other randomness").rng,
    )
    both.authority.asked.clear()
    bob.merge(both.stage(bob, pending.commit))
    (claim,) = both.authority.asked
    assert claim.occasion is Occasion.REJOINED
    assert claim.before is not None
    assert claim.before.leaf == claim.leaf == 2


@pytest.mark.spec("RFC 9420 §5.3.1 (Credential Validation)")
def test_external_senders_are_judged_when_they_are_new() -> None:
    both = Certified()
    first, second = Device("first"), Device("second")
    both.authority.asked.clear()
    known = ExternalSender(first.signer.public, both.authority.certify(first))
    added = ExternalSender(second.signer.public, both.authority.certify(second))
    for listed in ([known], [known, added]):
        terms = GroupContextExtensions((senders_extension(listed),))
        pending = both.commit(both.alice, terms)
        assert both.authority.occasions() == [(Occasion.EXTERNAL_SENDER, None)]
        both.bob.merge(both.stage(both.bob, pending.commit))
        assert both.authority.occasions() == [(Occasion.EXTERNAL_SENDER, None)]
        both.alice.merge(pending.staged)
    unknown = ExternalSender(Device("third").signer.public, BasicCredential(b"third"))
    with pytest.raises(CredentialError):
        both.commit(both.alice, GroupContextExtensions((senders_extension([unknown]),)))


@pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
def test_certificates_need_members_who_understand_them() -> None:
    alice, bob = everybody("alice", "bob")
    authority, carol = Authority(), Device("carol")
    bundle = bundle_of(carol, authority.certify(carol))
    with pytest.raises(UnsupportedError):
        alice.group.create_commit(
            [add(bundle)], signer=alice.signer, now_ms=NOW_MS, rng=alice.rng, policy=authority
        )
    for change in (LeafChange(credential=X509Credential((b"chain",))),):
        with pytest.raises(UnsupportedError):
            alice.group.create_commit(
                signer=alice.signer, now_ms=NOW_MS, rng=alice.rng, leaf=change
            )
        with pytest.raises(UnsupportedError):
            bob.group.propose_update(signer=bob.signer, rng=bob.rng, leaf=change)


@pytest.mark.spec("RFC 9420 §5.3.1 (Credential Validation)")
def test_without_a_policy_a_member_keeps_its_identity() -> None:
    alice, bob = everybody("alice", "bob")
    change = LeafChange(credential=BasicCredential(b"somebody else"))
    pending = alice.group.create_commit(
        signer=alice.signer, now_ms=NOW_MS, rng=alice.rng, leaf=change
    )
    with pytest.raises(CredentialError):
        bob.stage(pending.commit)
    update = alice.group.propose_update(signer=alice.signer, rng=alice.rng, leaf=change)
    with pytest.raises(CredentialError):
        bob.take(update)
    received = bob.group.receive(pending.commit, now_ms=NOW_MS, policy=lambda _: None)
    assert isinstance(received, StagedCommit)
    bob.merge(received)
    assert bob.group.members()[0].identity == b"somebody else"


@pytest.mark.spec("RFC 9420 §5.3.2 (Credential Expiry and Revocation)")
def test_member_with_an_expired_credential_still_replaces_it() -> None:
    """The old credential is not judged again: only the new one is."""
    both = Certified()
    alice, bob = both.alice, both.bob
    old = both.authority.keys.copy()
    renewed = alice.suite.signature.generate(alice.rng)
    signer, alice.signer = alice.signer, renewed
    certificate = both.authority.certify(alice)
    alice.signer = signer
    for name in old:
        del both.authority.keys[name]
    change = LeafChange(signer=renewed, credential=certificate)
    pending = both.commit(alice, leaf=change)
    bob.merge(both.stage(bob, pending.commit))
    assert bob.group.members()[0].credential == certificate


def test_capabilities_list_our_own_credential_by_themselves() -> None:
    device, chain = Device("alice"), X509Credential((b"chain",))
    bundle = KeyPackageBundle.generate(
        device.suite, device.signer, chain, now_ms=NOW_MS, rng=device.rng
    )
    assert bundle.key_package.leaf_node.capabilities.credentials == (CredentialType.X509,)
    bundle.key_package.validate(now_ms=NOW_MS)
    group = Group.create(
        device.suite, b"group", device.signer, chain, now_ms=NOW_MS, rng=device.rng
    )
    assert group.members()[0].credential == chain


def test_default_policy_takes_basic_credentials_only() -> None:
    claim = Claim(Occasion.ADDED, BasicCredential(b"alice"), b"key", b"group")
    accept_basic(claim)
    assert claim.identity == b"alice"
    foreign = Claim(Occasion.ADDED, X509Credential(()), b"key", b"group")
    assert foreign.identity == b""
    with pytest.raises(CredentialError):
        accept_basic(foreign)


def test_waiting_proposal_that_the_committer_refuses_is_left_out() -> None:
    alice, bob = everybody("alice", "bob")
    alice.take(
        bob.group.propose_add(
            Device("carol").bundle().message, signer=bob.signer, rng=bob.rng, now_ms=NOW_MS
        )
    )
    bob.save()

    def nobody(_: Claim) -> None:
        raise CredentialError("nobody is trusted")

    pending = alice.group.create_commit(
        signer=alice.signer, now_ms=NOW_MS, rng=alice.rng, policy=nobody
    )
    assert pending.staged.proposals == ()
    pass_on(pending, alice, [bob])
    assert agree([alice, bob])
