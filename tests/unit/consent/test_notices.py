"""The texts that people are shown."""

import pytest

from e2ecore.consent.notices import LANGUAGES, NoNoticeError, shipped_notice
from e2ecore.consent.purposes import TERMS, Purpose
from e2ecore_protocol.chain.record import hash_of_notice

pytestmark = pytest.mark.clause("GB42012-7.3")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("purpose", Purpose)
def test_every_purpose_has_a_notice_and_terms(purpose: Purpose, language: str) -> None:
    notice = shipped_notice(purpose, language)
    assert (notice.purpose, notice.language) == (purpose, language)
    assert notice.hash == hash_of_notice(notice.text)
    title, blank, *rest = notice.text.splitlines()
    assert title
    assert not blank
    assert "any time" in notice.text or "随时撤回" in notice.text
    assert any(rest)
    assert TERMS[purpose].data


def test_no_two_notices_are_the_same() -> None:
    texts = {shipped_notice(one, language).text for one in Purpose for language in LANGUAGES}
    assert len(texts) == len(Purpose) * len(LANGUAGES)


@pytest.mark.parametrize("tag", ["zh", "zh_CN", "zh-Hans-CN", "ZH-cn"])
def test_a_language_is_found_by_its_first_part(tag: str) -> None:
    assert shipped_notice(Purpose.PRESENCE, tag).language == "zh-CN"


@pytest.mark.parametrize(
    ("purpose", "language"),
    [("presence", "xx"), ("nothing", "en"), ("../notices/presence", "en"), ("", "en")],
)
def test_what_there_is_not_is_said(purpose: str, language: str) -> None:
    with pytest.raises(NoNoticeError):
        shipped_notice(purpose, language)
