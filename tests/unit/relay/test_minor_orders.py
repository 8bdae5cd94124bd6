"""An operator's word that an account is a child's: carried out by the relay that runs."""

import os
from pathlib import Path

import anyio
import pytest

from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    AppendChain,
    FetchGuardianship,
    GoAway,
    Guardianship,
    MarkedBy,
    Ok,
)
from e2ecore_protocol.frames.notices import GuardianshipChanged, decode_notice
from e2ecore_relay import __main__ as program
from e2ecore_relay.backends.sqlite.connection import StoreError
from e2ecore_relay.backends.sqlite.database import open_database
from e2ecore_relay.domain import minor_orders as minor_domain
from e2ecore_relay.domain.guardian_ports import MarkReason
from e2ecore_relay.domain.minor_orders import MinorOrder
from e2ecore_relay.server import minor_orders, order_files
from tests.support.blob_client import until_true
from tests.support.engines import PATIENCE_S
from tests.support.families import consent
from tests.support.families_at_desk import INVALID, Home, refused
from tests.support.raw_client import KeyPair, Person, RawClient, now_ms, online
from tests.support.relay import relay_at, where
from tests.support.relay_desk import START_MS

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-14.1a-g")]


WHY = ("--reason", "guardian", "--reference", "x")


def operate(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str) -> int:
    """Run the operator's command; return its exit status."""
    monkeypatch.setattr("sys.argv", ["e2ecore-relay", "--data", str(data), "minors", *arguments])
    return program.main()


async def shown(client: RawClient, *, marked: bool) -> Guardianship:
    with anyio.fail_after(PATIENCE_S):
        while True:
            answer = await client.ask(FetchGuardianship(client.request()), Guardianship)
            assert isinstance(answer, Guardianship)
            if (answer.mark is not None) is marked:
                return answer
            await anyio.sleep(0.02)


async def test_an_operator_marks_and_unmarks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = Person("child")
    async with relay_at(tmp_path) as relay, online(*where(relay), child) as client:
        data = relay.hub.config.data
        account, why = child.account_id.hex(), ["--reason", "authority", "--reference", "checked"]
        assert operate(monkeypatch, data, "mark", account, "2035-04-30", *why) == 0
        mark = (await shown(client, marked=True)).mark
        assert mark is not None
        assert mark.by == MarkedBy.OPERATOR
        assert operate(monkeypatch, data, "unmark", account, *why) == 0
        await shown(client, marked=False)
        assert operate(monkeypatch, data, "mark", "00" * 20, "2035-04-30", *why) == 0
        assert operate(monkeypatch, data, "mark", account, "1999-01-01", *why) == 0
        folder = data / order_files.FOLDER_NAME
        (folder / f"{'0' * 32}{minor_orders.SUFFIX}").write_text('{"account": 1}')
        await until_true(lambda: len(list(folder.glob("*.refused"))) == 3)
        assert order_files.waiting(data, minor_orders.SUFFIX) == []


@pytest.mark.parametrize(
    "wrong",
    [
        ["mark", "00" * 20, "soon", *WHY],
        ["mark", "zz", "2035-04-30", *WHY],
        ["unmark", "00" * 19, *WHY],
        ["unmark", "00" * 20, "--reason", "finding", "--reference", " "],
        ["orders"],
    ],
)
def test_what_is_no_order_is_not_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: list[str]
) -> None:
    assert operate(monkeypatch, tmp_path, *wrong) == 2
    assert order_files.waiting(tmp_path, minor_orders.SUFFIX) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"account": "00", "until_ms": null, "reason": 1, "reference": "x"}',
        '{"account": "' + "00" * 20 + '", "until_ms": true, "reason": 1, "reference": "x"}',
        '{"account": "' + "00" * 20 + '", "until_ms": null, "reason": 6, "reference": "x"}',
        '{"account": "' + "00" * 20 + '", "until_ms": null, "reason": true, "reference": "x"}',
    ],
)
def test_a_file_that_the_command_did_not_write_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / f"{'0' * 32}{minor_orders.SUFFIX}"
    file.write_text(text)
    with pytest.raises(order_files.BadOrderError):
        minor_orders.read(file)


def test_a_file_of_another_name_is_no_order(tmp_path: Path) -> None:
    order = MinorOrder(bytes(16), bytes(20), None, MarkReason.CORRECTION, "x")
    file = minor_orders.write(tmp_path, order)
    assert minor_orders.read(file) == order
    with pytest.raises(order_files.BadOrderError):
        minor_orders.read(file.rename(file.with_stem("00")))


async def test_a_decision_is_recorded_once_and_shown_to_the_operator_and_told_to_the_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = Person("child")
    async with relay_at(tmp_path) as relay, online(*where(relay), child) as client:
        data, account = relay.hub.config.data, child.account_id.hex()
        until_ms = now_ms() + 100 * 86_400_000
        why = (MarkReason.AUTHORITY, "file 12/2026")
        order = MinorOrder(os.urandom(16), child.account_id, until_ms, *why)
        for _ in range(2):  # a crash may leave the file behind
            minor_orders.write(data, order)
            await until_true(lambda: not order_files.waiting(data, minor_orders.SUFFIX))
        lifted = ("unmark", account, "--reason", "correction", "--reference", "wrong account")
        assert operate(monkeypatch, data, *lifted) == 0
        await shown(client, marked=False)
        await client.wait_for(2)
        notices = [decode_notice(one.payload) for one in client.delivered]
        assert notices == [GuardianshipChanged()] * 2
        strange = ("mark", "00" * 20, "2035-04-30", *WHY)
        assert operate(monkeypatch, data, *strange) == 0
        await until_true(lambda: len(list((data / "orders").glob("*.refused"))) == 1)
        capsys.readouterr()
        assert operate(monkeypatch, data, "orders") == 0
        lines = [line.split("  ", 1)[1] for line in capsys.readouterr().out.splitlines()]
        assert lines == [
            f"{account}  marked  (authority: file 12/2026)",
            f"{account}  mark lifted  (correction: wrong account)",
        ]


async def test_a_mark_sends_away_at_once_whom_no_approved_consent_covers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a relay where nothing else happens, too."""
    child = Person("child")
    other = child.with_device(KeyPair.make())
    child.entries.append(child.entry(consent(MULTI_DEVICE_SYNC)))
    child.entries.append(child.device_entry(other.device))
    new = tuple([one.encode() for one in child.entries[-2:]])
    async with relay_at(tmp_path) as relay, online(*where(relay), child) as client:
        assert isinstance(await client.ask(AppendChain(client.request(), new), Ok), Ok)
        async with online(*where(relay), other) as tablet:
            tablet.auto_ack = client.auto_ack = False
            mark = ("mark", child.account_id.hex(), "2035-04-30", *WHY)
            assert operate(monkeypatch, relay.hub.config.data, *mark) == 0
            with anyio.fail_after(PATIENCE_S):
                while not isinstance(frame := await tablet.next(), GoAway):
                    pass
            assert frame.code is ErrorCode.CONSENT_REQUIRED


def test_records_of_decisions_are_never_changed_or_deleted(home: Home) -> None:
    order = MinorOrder(
        os.urandom(16), home.ward.account_id, None, MarkReason.PERSON, "asked in writing"
    )
    with home.desk.turn() as turn:
        minor_domain.carry_out(turn, order, bytes(10))
    for sql in ("DELETE FROM minor_orders", "UPDATE minor_orders SET reason = 2"):
        with pytest.raises(StoreError, match="orders are"):
            home.desk.connection.execute(sql)
    ((_, kept),) = home.desk.ledger.minor_orders.after(0, 10)
    assert (kept.is_marked, kept.reason, kept.time_ms) == (False, MarkReason.PERSON, START_MS)


def test_what_could_not_be_carried_out_is_not_recorded(home: Home) -> None:
    why = (MarkReason.FINDING, "x")
    order = MinorOrder(os.urandom(16), home.ward.account_id, START_MS, *why)
    with home.desk.turn() as turn, refused(INVALID):
        minor_domain.carry_out(turn, order, bytes(10))
    assert home.desk.ledger.minor_orders.after(0, 10) == []


def test_an_order_that_waits_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_database(tmp_path, os.urandom).writer().close()
    assert operate(monkeypatch, tmp_path, "unmark", "00" * 20, *WHY) == 0
    assert operate(monkeypatch, tmp_path, "orders") == 0
    assert "not carried out yet: " in capsys.readouterr().out
