"""What counts of what own devices say of somebody."""

from e2ecore.sync.merging import kept
from e2ecore.sync.people import person
from e2ecore_protocol.content.op_bodies import Mute, Person
from tests.support.siblings import NOW_MS, Sibling, agree

WHO = bytes(20)
MUTE = Mute(7)


def test_without_ops_nothing_counts() -> None:
    assert person((), NOW_MS) is None


def test_who_only_notes_a_contact_takes_no_name_away() -> None:
    phone, laptop = Sibling(1), Sibling(2)
    phone.write(WHO, Person(1, None, "Robert"), NOW_MS)
    laptop.write(WHO, Person(1, "bob", ""), NOW_MS + 1)
    agree([phone, laptop])
    for one in (phone, laptop):
        assert person(one.slots[Person.KIND, WHO], NOW_MS) == Person(1, "bob", "Robert")


def test_of_two_names_the_later_counts_and_who_knew_of_a_name_takes_it_back() -> None:
    phone, laptop = Sibling(1), Sibling(2)
    phone.write(WHO, Person(1, None, "Robert"), NOW_MS)
    laptop.write(WHO, Person(1, None, "Bobby"), NOW_MS + 1)
    agree([phone, laptop])
    both = phone.slots[Person.KIND, WHO]
    assert person(both, NOW_MS) == Person(1, None, "Bobby")
    phone.write(WHO, Person(0, None, ""), NOW_MS + 2)
    agree([phone, laptop])
    ops = laptop.slots[Person.KIND, WHO]
    assert person(ops, NOW_MS) == Person(0, None, "")
    assert person(kept((*both, *ops)), NOW_MS) == Person(0, None, "")


def test_a_kind_that_is_none_of_people_says_nothing_of_them() -> None:
    phone = Sibling(1)
    op = phone.write(bytes(16), MUTE, NOW_MS)
    assert person((op,), NOW_MS) is None
