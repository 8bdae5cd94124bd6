"""Whoever is no member gets in by no back door of MLS: not by a commit of their own, not by the
terms of a group."""

from collections.abc import Iterable
from pathlib import Path
from unittest.mock import patch

import pytest

import e2ecore
from e2ecore.crypto.rng import system_rng
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.membership.founding import capabilities
from e2ecore.engine.membership.judging import BadConversationError
from e2ecore.messaging.roster import CommitNotAllowedError
from e2ecore.mls.credentials import as_credential
from e2ecore.mls.extensions import Extension
from e2ecore.mls.external_senders import ExternalSender, senders_extension
from e2ecore.mls.group import Group
from e2ecore.testing import devices
from tests.scenarios.test_hostile_member import in_group
from tests.support.engines import group_of, until
from tests.support.hostile import check_alive, deafen, place_commit
from tests.support.lies import keys_of

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.2")]


@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
async def test_nobody_lets_themselves_in(tmp_path: Path) -> None:
    names = ("alice", "bob", "mallory", "eve")
    async with devices(tmp_path, *names) as (relay, (alice, bob, mallory, eve)):
        views = await group_of((alice, bob, mallory))
        at_bob = bob.events()
        traitor, outsider = await keys_of(mallory), await keys_of(eve)
        info = await in_group(
            mallory, views[-1], lambda group: group.group_info(signer=traitor.signer)
        )
        announced = await eve._core.jobs.run(capabilities)
        joined = Group.join_by_commit(
            info,
            outsider.signer,
            outsider.leaf_identity,
            capabilities=announced,
            now_ms=system_clock_ms(),
            rng=system_rng,
        )
        await deafen(relay, mallory)
        await place_commit(mallory, views[-1], joined.commit)
        refused = await until(at_bob, e2ecore.EnvelopeQuarantined)
        assert refused.error == CommitNotAllowedError.__name__
        await check_alive({alice: views[0], bob: views[1]}, "without eve")
        assert eve.account is not None
        members = {one.account_id for one in await views[0].members()}
        assert eve.account.account_id not in members


@pytest.mark.spec("RFC 9420 §12.1.8.1 (External Senders Extension)")
async def test_a_group_whose_terms_let_outsiders_propose_is_not_joined(tmp_path: Path) -> None:
    async with devices(tmp_path, "mallory", "bob", "eve") as (_, (mallory, bob, eve)):
        at_bob = bob.events()
        outsider = await keys_of(eve)
        sender = ExternalSender(outsider.signer.public, as_credential(outsider.leaf_identity))
        honest = Group.create

        def create(*args: object, extensions: Iterable[Extension], **terms: object) -> Group:
            more = (*extensions, senders_extension((sender,)))
            return honest(*args, extensions=more, **terms)  # type: ignore[arg-type]  # as it came

        with patch.object(Group, "create", create):
            contact = await mallory.contacts.find("bob")
            group = await mallory.conversations.create_group("trap", [contact])
        refused = await until(at_bob, e2ecore.EnvelopeQuarantined)
        assert refused.error == BadConversationError.__name__
        with pytest.raises(e2ecore.UnknownConversationError):
            await bob.conversations.get(group.conversation_id)
