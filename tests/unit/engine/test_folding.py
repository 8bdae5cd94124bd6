"""Traditional and simplified Chinese characters are one in a search, where that is asked for."""

import sys
from pathlib import Path

import pytest

import e2ecore
from e2ecore.engine.talk.folding import chinese_fold
from e2ecore.testing import two_devices
from e2ecore.testing.devices import PASSPHRASE
from tests.support.engines import pair, texts

pytestmark = pytest.mark.anyio

SAID = ("龍馬精神", "龙马精神", "後面", "皇后", "dragon")


async def _found(path: Path, text: str, *, fold_chinese: bool) -> list[str]:
    opened = await e2ecore.open(path, passphrase=PASSPHRASE, fold_chinese=fold_chinese)
    async with opened as engine:
        return [hit.message.text for hit in (await engine.search(text)).hits]


async def test_either_form_finds_both_where_that_is_asked_for(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_bob = bob.events()
        chat, _ = await pair(alice, bob)
        await chat.send_many(SAID)
        await texts(at_bob, len(SAID))
    path = tmp_path / "bob.db"
    for form in ("龍馬", "龙马"):
        assert await _found(path, form, fold_chinese=True) == [SAID[1], SAID[0]]
    assert await _found(path, "龍馬", fold_chinese=False) == [SAID[0]]
    assert await _found(path, "后", fold_chinese=True) == [SAID[3], SAID[2]]
    assert await _found(path, "后", fold_chinese=False) == [SAID[3]]


def test_the_table_is_settled_and_changes_only_han_characters() -> None:
    fold = chinese_fold()
    assert len(fold) > 2_500
    assert all(to.translate(fold) == to for to in fold.values())
    assert all(len(to) == 1 and number > 0x3000 for number, to in fold.items())


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    chinese_fold.cache_clear()
    with pytest.raises(e2ecore.FoldingMissingError):
        chinese_fold()
