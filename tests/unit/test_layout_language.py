"""The declaration language is strict: what it does not know, or what contradicts itself, is an error naming file and key."""

from pathlib import Path
from typing import Any

import pytest
from layout_kit import TITLE, declaration, field, load

from custody.declared import BadDeclaration
from schemas.layout import all_layouts, layouts_named

AMOUNT = field("amount", "amount", required=True)
WAY = field(
    "way", "enum", required=True, codes={"C": {"en": "out", "zh": "付", "direction": "OUT"}, "D": {"en": "in", "zh": "收"}}
)
WHEN = field("when", "date")
WIDE = field("a", width=4)


def lands(**keys: Any) -> dict[str, Any]:
    return {"lands": {"layout": "platform_claim/1", **keys}}


CLAIM = {
    "claim_id": {"copy": "a"}, "loan_id": {"constant": "L1"}, "holder_role": {"constant": "LENDER"},
    "holder_user_no": {"copy": "a"}, "principal": {"copy": "amount"}, "currency": {"constant": "CNY"},
}  # fmt: skip


def test_a_whole_declaration_is_taken(tmp_path: Path) -> None:
    layout = load(
        tmp_path,
        declaration(
            field("a"), AMOUNT, WAY, WHEN, **lands(fields=CLAIM, write={"when": {"custody_date": True}}),
            checks=[{"order": ["when", "custody_date"]}, {"direction": {"code": "way", "mark": "way", "IN": "D", "OUT": "C"}}],
        ),
    )  # fmt: skip
    assert layout.needs_date
    assert not layout.is_plain
    assert layout.field("way").code_words["C"].direction == "OUT"
    assert layout.lands is not None


WRONG: list[tuple[dict[str, Any], str]] = [
    (declaration(field("a"), colour="red"), "unknown key 'colour'"),
    (declaration(field("a", colour="red")), "fields 1: unknown key 'colour'"),
    (declaration(field("a"), title={"en": "x"}), "title: the key 'zh' is missing"),
    ({k: v for k, v in declaration(field("a")).items() if k != "sender"}, "the key 'sender' is missing"),
    (declaration(field("a"), version="1"), "version is '1', not int"),
    (declaration(field("a"), encodings=["latin-1"]), "encodings: 'latin-1'"),
    (declaration(field("a"), header="maybe"), "header is 'maybe'"),
    (declaration(field("a"), delimiter="||"), "delimiter"),
    (declaration(field("a"), record_end="cr"), "record_end is 'cr'"),
    (declaration(field("a"), record_end="none"), "need a record end"),
    (declaration(field("a"), field("a")), "two fields have one name"),
    (declaration(field("a", heading="x"), field("b", heading="x")), "one heading"),
    (declaration(field("a"), key=["b"]), "key: 'b'"),
    (declaration(field("a"), key=["a"]), "key field 'a' is not required"),
    (declaration(field("amount", "amount"), totals=["amount"]), "not a required amount"),
    (declaration(field("a", "number")), "type is 'number'"),
    (declaration(field("a", "code", pattern="(")), "no regular expression"),
    (declaration(field("a", "enum")), "an enum its codes"),
    (declaration(field("a", "enum", codes=[1])), "quote it"),
    (declaration(field("a", "enum", codes={1: {}})), "quote it"),
    (declaration(field("a", "enum", codes={"1": {"en": "x", "zh": "x", "direction": "UP"}})), "direction is 'UP'"),
    (declaration(field("a", "amount", negative=False)), "an amount says min"),
    (declaration(field("a", "amount", unit="jiao")), "unit is 'jiao'"),
    (declaration(field("a", unit="fen")), "belong to amounts"),
    (declaration(field("a", "amount", unit="fen", decimals=2)), "decimals belong to"),
    (declaration(field("a", "date", form="dd.mm.yyyy")), "form is 'dd.mm.yyyy'"),
    (declaration(field("a", "date", form="yyyymmddhhmmss")), "form is"),
    (declaration(field("a", "date", example="2019-02-30")), "example of a"),
    (declaration(field("a", "amount", sign={"first": True, "plus": "D", "minus": "D"})), "two different characters"),
    (declaration(field("a", "amount", sign={"field": "b", "plus": "D", "minus": "C"})), "the mark 'b'"),
    (declaration(field("a", width=3)), "are for fixed_width"),
    (declaration(field("a", optional_column=True)), "header: by_name"),
    (declaration(field("a", required=True, optional_column=True), header="by_name"), "is not required"),
    (declaration(field("a"), extra_columns=["b"]), "extra_columns"),
    (declaration(field("a"), cell_prefix="`", quoting="doubled"), "exclude each other"),
    (declaration(WIDE, record_length=5), "add up to 4 bytes, record_length is 5"),
    (declaration(WIDE, field("b", width=1), record_length=5, filler=1), "add up to 6 bytes"),
    (declaration(field("a"), record_length=4), "needs a width"),
    (declaration(field("a", width=4, padding="zeros_left"), record_length=4), "zeros_left is for numbers"),
    (declaration(WIDE, record_length=4, header=True), "unknown key 'header'"),
    (declaration(field("a"), checks=[{"sum": {"of": "a", "is": ["a"]}}]), "a sum is of amounts"),
    (declaration(field("a"), checks=[{"filled": ["b"]}]), "'b' is not a kept field"),
    (declaration(field("a"), checks=[{"even": ["a"]}]), "is expected"),
    (declaration(field("a"), WHEN, checks=[{"order": ["a", "when"]}]), "an order is of"),
    (declaration(field("a"), WAY, checks=[{"filled": ["a"], "when": {"way": ["X"]}}]), "way has no code 'X'"),
    (declaration(field("a"), WAY, checks=[{"filled": ["a"], "whenever": {"way": ["C"]}}]), "unknown key 'whenever'"),
    (declaration(field("a"), envelope=[{"tar": {}}]), "is expected"),
    (declaration(field("a"), envelope=[{"zip": {"entry": ".*", "write_as": "x"}}]), "'max_bytes' is missing"),
    (declaration(field("a"), file_name={"pattern": "A.*", "example": "B"}), "does not match"),
    (declaration(field("a"), summary={"at": "middle", "fields": []}), "at is 'middle'"),
    (declaration(field("a"), summary={"at": "after", "fields": [{**AMOUNT, "sum_of": "a"}]}), "sum_of is for"),
    (declaration(field("a"), AMOUNT, **lands(fields={**CLAIM, "claim_id": {"copy": "b"}})), "'b' is not a kept field"),
    (declaration(field("a"), AMOUNT, **lands(fields={**CLAIM, "rate": {"copy": "a"}})), "fields missing or not in"),
    (declaration(field("a"), AMOUNT, **lands(fields={**CLAIM, "loan_id": {"guess": "a"}})), "is expected"),
    (declaration(field("a"), AMOUNT, **lands(fields=CLAIM, write={"b": {"copy": "loan_id"}})), "'b' is not a field"),
    (declaration(field("a"), lands={"layout": "nobody/1", "fields": {}}), "'nobody/1' is not declared"),
    ([], "a mapping is expected"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("raw", "words"), WRONG)
def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, raw: object, words: str) -> None:
    with pytest.raises(BadDeclaration) as caught:
        load(tmp_path, raw)
    assert words in str(caught.value)
    assert "sample" in str(caught.value)


def test_text_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    from schemas.layout import load_declaration

    path = tmp_path / "odd_v1.yaml"
    path.write_text("a: [", encoding="utf-8")
    with pytest.raises(BadDeclaration, match="not YAML"):
        load_declaration(path)


def test_a_files_name_finds_every_version_that_it_may_be() -> None:
    named = {layout.id: layout.file_name.example for layout in all_layouts().values() if layout.file_name}
    for layout_id, example in named.items():
        assert layout_id in layouts_named(example)
    assert layouts_named("README.md") == []


def test_every_title_of_a_layout_is_in_both_languages() -> None:
    assert TITLE["zh"]
    for layout in all_layouts().values():
        for titled in (layout, *layout.fields):
            assert titled.title_en
            assert titled.title_zh
