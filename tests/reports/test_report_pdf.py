"""The document, read back by another library: its text in both languages, its font inside, no page empty."""

from dataclasses import replace
from functools import cache

import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from fontTools.ttLib import TTFont
from pylopdf_fonts_zh_cn import sans_path
from sample_figures import CATALOGUE, pdf_of, sample_report

from reports.build import defined_columns
from reports.catalogue import Words
from reports.definition import LANGUAGES, Language, load_definitions
from reports.model import Amount, Column, Report, Share, Table, Text
from reports.pdf import MOST_ROWS
from reports.terms import load_terms


@cache
def pages(language: Language) -> list[str]:
    return text_of(pdf_of(sample_report(), language))


def text_of(data: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(data)
    return [page.get_textpage().get_text_range() for page in document]


def of_rows(rows: tuple[tuple[Text | Amount, ...], ...]) -> Report:
    columns = (Column("name", Words(en="Name", zh="名称"), 30), Column("amount", Words(en="Amount", zh="金额"), 20, True))
    return replace(sample_report(), tables=(Table("x", Words(en="Rows", zh="明细"), None, columns, rows),))


def test_it_says_the_figures_in_its_language() -> None:
    chinese, english = "\n".join(pages("zh")), "\n".join(pages("en"))
    for said in ("资金存管报告", "借贷余额", "稳健贷", "9,007,199,254,740.31", "1,234,568.19", "23.46%", "-0.01"):
        assert said in chinese
    for said in ("Custody report", "Loan balance", "Steady", "9,007,199,254,740.31", "1,234,568.19", "23.46%", "-0.01"):
        assert said in english
    assert "Loan balance" not in chinese and "借贷余额" not in english


def test_every_page_says_where_it_belongs_and_none_is_empty() -> None:
    for language in LANGUAGES:
        for number, text in enumerate(pages(language), start=1):
            assert f"{number} / {len(pages(language))}" in text
            assert "2019-12" in text
            assert len(text) > 150


def test_the_seals_of_its_inputs_stand_in_it() -> None:
    for seal in sample_report().seals:
        assert str(seal["manifest_digest"]) in "\n".join(pages("zh")).replace("\r\n", "").replace("\n", "")


def test_its_font_is_inside() -> None:
    document = pypdfium2.PdfDocument(pdf_of(sample_report(), "zh"))
    embedded = [
        bool(pdfium.FPDFFont_GetIsEmbedded(pdfium.FPDFTextObj_GetFont(thing)))
        for page in document
        for thing in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT])
    ]
    assert embedded and all(embedded)


def test_its_bytes_do_not_depend_on_what_its_font_was_cut_for() -> None:
    others = "龙凤呈祥万事如意饕餮，。「」①"
    assert pdf_of(sample_report(), "zh") == pdf_of(sample_report(), "zh", others)


def test_the_font_has_every_character_that_reports_say() -> None:
    known = set(TTFont(sans_path(), lazy=True).getBestCmap())
    words = [w for terms in load_terms().dimensions.values() for w in terms.values()]
    for definition in load_definitions().values():
        words += [definition.title, definition.audience, definition.basis, *(table.title for table in definition.tables)]
        words += [w for one in defined_columns(definition, CATALOGUE) for w in (one.name, one.meaning, one.source)]
    said = {character for w in words for character in w.en + w.zh}
    assert {character for character in said if ord(character) not in known} == set()


def test_a_long_list_is_cut_and_says_so() -> None:
    rows = tuple((Text(f"row {number}"), Amount(number)) for number in range(MOST_ROWS + 1))
    text = "\n".join(text_of(pdf_of(of_rows(rows), "en")))
    assert f"row {MOST_ROWS - 1}\r" in text or f"row {MOST_ROWS - 1} " in text
    assert f"row {MOST_ROWS}\r" not in text
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 1} rows" in text


@pytest.mark.parametrize("text", ["长" * 300, "a" * 300, "饕餮龘", "\x00\x07", "‮אב", "🙂"])
def test_whatever_a_party_calls_itself_is_printed_or_left_out(text: str) -> None:
    assert text_of(pdf_of(of_rows(((Text(text), Amount(1)),)), "zh"))


def test_a_share_keeps_its_sign_and_no_word_of_a_heading_is_broken() -> None:
    columns = (
        Column("name", Words(en="Name", zh="名称"), 30),
        *(Column("x", Words(en="Sub-accounts reconsidered", zh="子账户"), 4, True) for _ in range(4)),
    )
    rows = ((Text("one"), Share(-50), Share(50), Share(-1234), Share(0)),)
    said = replace(sample_report(), tables=(Table("x", Words(en="Rows", zh="明细"), None, columns, rows),))
    text = "\n".join(text_of(pdf_of(said, "en")))
    assert "-0.50%" in text and "-12.34%" in text and text.count("0.50%") == 2
    assert text.count("Sub-accounts\r\nreconsidered") == 4
