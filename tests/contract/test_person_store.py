"""Personal data in every keyed store: dated by party, found by what is said last, moved and destroyed whole."""

from __future__ import annotations

from datetime import date

import pytest

from connectors.person_store import KeyedPersonStore
from connectors.secrets import FileSecrets
from custody.personal import Said
from custody.ports import KeyedStore
from schemas.store_keys import CUSTOMER, PERSON_INDEX

DAY, NEXT = date(2019, 12, 30), date(2019, 12, 31)
FIELDS = {
    "id_type": "ID",
    "id_no": "11010519491231002X",
    "name": "张三丰",
    "phone": "13812345678",
    "card_no": "6222020000000000018",
}
OTHER_PHONE = "13987654321"
ALL = (b"", b"\xff" * 32)


@pytest.fixture
def persons(store: KeyedStore, secrets: FileSecrets) -> KeyedPersonStore:
    return KeyedPersonStore(store, secrets)


def said(party: str = "P001", on: date = DAY, source: str = "f:2", **changed: str | None) -> Said:
    return Said(party, on, {**FIELDS, **changed}, (source,))


def test_a_person_is_found_by_what_each_party_says_last(persons: KeyedPersonStore, store: KeyedStore) -> None:
    persons.keep([("C1", said())], 1)
    persons.keep([("C1", said("P002", phone="13711112222"))], 1)
    assert [persons.find(name, FIELDS[name]) for name in ("id_no", "phone", "card_no")] == [["C1"]] * 3
    assert persons.find("id_no", "11010519491231002x") == ["C1"] == persons.find("phone", "13711112222")
    # The same number in another field is another thing, and a name finds nobody.
    assert persons.find("card_no", FIELDS["phone"]) == [] == persons.find("name", FIELDS["name"])
    persons.keep([("C1", said(on=NEXT, phone=OTHER_PHONE))], 1)
    assert persons.find("phone", OTHER_PHONE) == ["C1"] == persons.find("phone", "13711112222")
    assert persons.find("phone", FIELDS["phone"]) == []
    # An older day's word that comes late is kept, and is not the last.
    persons.keep([("C1", said(on=date(2019, 12, 29), phone="13600000000"))], 1)
    assert persons.find("phone", "13600000000") == [] and persons.find("phone", OTHER_PHONE) == ["C1"]
    assert [(s.party, s.on.day, s.fields["phone"]) for s in persons.said("C1")] == [
        ("P001", 29, "13600000000"), ("P001", 30, FIELDS["phone"]), ("P001", 31, OTHER_PHONE), ("P002", 30, "13711112222"),
    ]  # fmt: skip
    # One row for each field and value: the id number, the card, and the two phones in use.
    assert len(list(store.scan(PERSON_INDEX, *ALL))) == 4


def test_writing_again_changes_nothing_and_keeps_every_source(persons: KeyedPersonStore, store: KeyedStore) -> None:
    persons.keep([("C1", said(source="a:2")), ("C1", said(source="b:9"))], 1)
    before = list(store.scan(CUSTOMER, *ALL)), list(store.scan(PERSON_INDEX, *ALL))
    persons.keep([("C1", said(source="b:9"))], 1)
    assert before == (list(store.scan(CUSTOMER, *ALL)), list(store.scan(PERSON_INDEX, *ALL)))
    assert persons.said("C1")[0].sources == ("a:2", "b:9")


def test_two_who_share_a_phone_are_both_found_and_one_can_leave(persons: KeyedPersonStore) -> None:
    persons.keep([("C1", said()), ("C2", said(id_no="440524188001010014", card_no=None))], 1)
    assert persons.find("phone", FIELDS["phone"]) == ["C1", "C2"]
    persons.destroy("C1", 1)
    assert persons.find("phone", FIELDS["phone"]) == ["C2"] and persons.find("card_no", FIELDS["card_no"]) == []


def test_who_is_destroyed_has_no_row_anywhere_and_comes_back_with_another_key(
    persons: KeyedPersonStore, store: KeyedStore
) -> None:
    persons.keep([("C1", said())], 1)
    persons.pend("C1", "r:1", FIELDS, 1)
    (key,) = (columns[b"key"] for _, columns in store.scan(CUSTOMER, *ALL))
    persons.destroy("C1", 1)
    persons.destroy("C1", 1)
    assert list(store.scan(CUSTOMER, *ALL)) == [] == list(store.scan(PERSON_INDEX, *ALL))
    assert persons.pending("C1", "r:1") is None
    persons.keep([("C1", said(on=NEXT))], 1)
    assert [columns[b"key"] == key for _, columns in store.scan(CUSTOMER, *ALL)] == [False]


def test_what_was_left_half_destroyed_is_found_by_nobody_and_destroyed_again(
    persons: KeyedPersonStore, store: KeyedStore
) -> None:
    persons.keep([("C1", said())], 1)
    index = list(store.scan(PERSON_INDEX, *ALL))
    store.delete_many(CUSTOMER, [key for key, _ in store.scan(CUSTOMER, *ALL)], 1)
    # The other way round than `destroy` goes: rows of the index that lead to nobody.
    assert index and persons.find("phone", FIELDS["phone"]) == []
    persons.keep([("C1", said())], 1)
    store.delete_many(PERSON_INDEX, [key for key, _ in index], 1)
    persons.destroy("C1", 1)
    assert list(store.scan(CUSTOMER, *ALL)) == []


def test_what_is_proposed_waits_sealed_beside_what_is_known(persons: KeyedPersonStore, store: KeyedStore) -> None:
    persons.pend("C1", "r:1", FIELDS, 1)
    assert persons.pending("C1", "r:1") == FIELDS and persons.pending("C1", "r:2") is None
    assert persons.said("C1") == [] == persons.find("phone", FIELDS["phone"])
    assert FIELDS["phone"].encode() not in repr(list(store.scan(CUSTOMER, *ALL))).encode()
    persons.drop_pending("C1", "r:1", 1)
    persons.drop_pending("C1", "r:1", 1)
    assert list(store.scan(CUSTOMER, *ALL)) == []
    persons.keep([("C1", said())], 1)
    persons.pend("C1", "r:1", FIELDS, 1)
    persons.drop_pending("C1", "r:1", 1)
    assert persons.said("C1") == [said()]


def test_one_person_under_two_ids_becomes_one(persons: KeyedPersonStore, store: KeyedStore) -> None:
    persons.keep([("OLD", said(id_no="440524188001010014")), ("OLD", said("P002", phone=OTHER_PHONE))], 1)
    persons.keep([("NEW", said())], 1)
    for _ in range(2):
        persons.move("OLD", "NEW", 1)
        assert persons.said("OLD") == []
        assert [(s.party, s.fields["id_no"]) for s in persons.said("NEW")] == [
            ("P001", FIELDS["id_no"]),
            ("P002", FIELDS["id_no"]),
        ]
    assert persons.find("phone", OTHER_PHONE) == ["NEW"]
    # The wrong number said by the same party on the same day gave way to the right one.
    assert persons.find("id_no", "440524188001010014") == []
    assert len(list(store.scan(CUSTOMER, *ALL))) == 1 and len(list(store.scan(PERSON_INDEX, *ALL))) == 4
