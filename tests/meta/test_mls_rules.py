"""Each rule of MLS has a test, and the table says which."""

from tools.compliance import sections
from tools.mls_rules import DOCUMENT, broken_by, document, rules


def test_table_of_rules_is_current() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m tools.mls_rules"


def test_each_rule_has_a_test_or_a_reason() -> None:
    found = broken_by()
    assert [rule.id for rule in rules() if not (found.get(rule.id) or rule.not_applicable)] == []


def test_each_marker_names_a_rule_and_no_rule_is_named_twice() -> None:
    ids = [rule.id for rule in rules()]
    assert len(set(ids)) == len(ids)
    assert set(broken_by()) - set(ids) == set()


def test_sections_are_named_by_number_and_title() -> None:
    known = {f"RFC 9420 §{number} ({title})" for number, title in sections().items()}
    named = {rule.section for rule in rules() if rule.section.startswith("RFC")}
    assert named - known == set()
