"""An operator's word that an account is a child's: carried out by the relay that runs."""

from pathlib import Path

import anyio
import pytest

from e2ecore_protocol.frames import FetchGuardianship, Guardianship, MarkedBy
from e2ecore_relay import __main__ as program
from e2ecore_relay.server import minor_orders, order_files
from tests.support.blob_client import until_true
from tests.support.engines import PATIENCE_S
from tests.support.raw_client import Person, RawClient, online
from tests.support.relay import relay_at, where

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-14.1a-g")]


@pytest.fixture
def anyio_backend() -> str:
    """The relay's HTTP side runs on trio only."""
    return "trio"


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
        account, why = child.account_id.hex(), ["--reference", "checked"]
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
        ["mark", "00" * 20, "soon", "--reference", "x"],
        ["mark", "zz", "2035-04-30", "--reference", "x"],
        ["unmark", "00" * 19, "--reference", "x"],
        ["unmark", "00" * 20, "--reference", " "],
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
        '{"account": "00", "until_ms": null, "reference": "x"}',
        '{"account": "' + "00" * 20 + '", "until_ms": true, "reference": "x"}',
    ],
)
def test_a_file_that_the_command_did_not_write_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / f"x{minor_orders.SUFFIX}"
    file.write_text(text)
    with pytest.raises(order_files.BadOrderError):
        minor_orders.read(file)
