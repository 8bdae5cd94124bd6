"""A child and a parent, each with an engine, at a relay in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

import e2ecore
from e2ecore import ApprovalState, BondState, ConsentState, Engine, Purpose
from e2ecore.testing import MemoryRelay
from e2ecore.testing.devices import devices
from tests.support.engines import PATIENCE_S

DAY_MS = 86_400_000
CONTROLLER = e2ecore.Controller("The Operator", "privacy@relay.example")


@dataclass
class Home:
    relay: MemoryRelay
    child: Engine
    parent: Engine
    now_ms: int = 1_800_000_000_000

    async def mark(self, days: int = 100) -> None:
        await self.child.guardians.mark(self.now_ms + days * DAY_MS)
        await self.child.guardians.settled()

    async def link(self) -> bytes:
        await self.child.guardians.invite(await self.child.contacts.find("parent"))
        link_id = (await self.bond(self.parent, BondState.INVITED)).link_id
        await self.parent.guardians.accept(link_id)
        await self.bond(self.parent, BondState.HOLDS)
        await self.bond(self.child, BondState.HOLDS)
        return link_id

    async def bond(self, engine: Engine, state: BondState) -> e2ecore.GuardianBond:
        with anyio.fail_after(PATIENCE_S):
            while True:
                for one in await engine.guardians.bonds():
                    if one.state is state:
                        return one
                await anyio.sleep(0.005)

    async def ask(self, purpose: Purpose = Purpose.READ_RECEIPTS) -> bytes:
        notice = e2ecore.shipped_notice(purpose, "zh-CN")
        asked = await self.child.guardians.ask(notice, controller=CONTROLLER, scope="family")
        await self.request(self.parent, ApprovalState.OPEN)
        return asked.consent_id

    async def request(self, engine: Engine, state: ApprovalState) -> e2ecore.ApprovalRequest:
        with anyio.fail_after(PATIENCE_S):
            while True:
                for one in await engine.guardians.requests():
                    if one.state is state:
                        return one
                await anyio.sleep(0.005)

    async def consent(self, state: ConsentState) -> e2ecore.Consent:
        with anyio.fail_after(PATIENCE_S):
            while True:
                for one in await self.child.consents.list():
                    if one.state is state:
                        return one
                await anyio.sleep(0.005)


@asynccontextmanager
async def homes(folder: Path) -> AsyncIterator[Home]:
    clock = [1_800_000_000_000]
    async with devices(folder, "child", "parent", clock_ms=lambda: clock[0]) as (relay, both):
        child, parent = both
        yield Home(relay, child, parent)
