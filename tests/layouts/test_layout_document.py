"""The documents: made from the declaration alone, their example parses, both languages stand there, HTML stands alone."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import app
from custody.texts import RULES
from schemas.document import Document, Paragraph, Sample, Section, Table, to_html, to_markdown
from schemas.exchange import Seal, parse_seal, sha256_hex
from schemas.layout import all_layouts, load_layout
from schemas.layout_document import byte_place, layout_document
from schemas.layout_example import EXAMPLE_DATE, example_file, example_seal, typical_faults
from schemas.layout_file import parse_file

LAYOUTS = sorted(all_layouts())
_VOID = {"meta", "br"}


class _Reader(HTMLParser):
    """Whether every element is closed where it was opened; what the document asks of the outside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.languages: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [name for name, _ in attrs if name in ("href", "src")]
        self.languages |= {value for name, value in attrs if name == "lang" and value}
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("layout_id", LAYOUTS)
def test_the_example_file_parses_by_its_layout(layout_id: str) -> None:
    layout = load_layout(layout_id)
    for encoding in layout.encodings:
        parsed = parse_file(layout, "F", example_file(layout, encoding), encoding, EXAMPLE_DATE)
        assert (parsed.faults, parsed.file_faults, len(parsed.rows)) == ([], [], 2)


@pytest.mark.parametrize("layout_id", LAYOUTS)
def test_the_document_says_every_field_in_both_languages(layout_id: str) -> None:
    layout = load_layout(layout_id)
    document = layout_document(layout)
    assert document == layout_document(layout)
    markdown, html = to_markdown(document), to_html(document)
    for field in layout.fields:
        assert f"`{field.name if layout.format == 'fixed_width' else field.heading or field.name}`" in markdown
        assert field.title_zh in markdown
        assert field.title_zh in html
        for code in field.codes:
            assert code in html
    widths = [line.count(" | ") for line in markdown.splitlines() if line.startswith("| no.")]
    rows = [line for line in markdown.splitlines() if line.startswith("| `") and line.count(" | ") == widths[0]]
    assert len(rows) >= len(layout.fields)


@pytest.mark.parametrize("layout_id", LAYOUTS)
def test_the_html_stands_alone_and_is_well_formed(layout_id: str) -> None:
    reader = _Reader()
    html = to_html(layout_document(load_layout(layout_id)))
    reader.feed(html)
    reader.close()
    assert reader.open == []
    assert reader.links == []
    assert "url(" not in html
    assert not reader.tags & {"script", "link", "img", "iframe"}
    assert reader.languages == {"en", "zh"}


@pytest.mark.parametrize("layout_id", [i for i in LAYOUTS if load_layout(i).sender != "bank"])
def test_the_seal_shown_is_the_example_files(layout_id: str) -> None:
    layout = load_layout(layout_id)
    seal = parse_seal(example_seal(layout))
    assert isinstance(seal, Seal)
    data = example_file(layout, layout.encodings[0])
    [entry] = seal.files
    assert (entry.layout, entry.bytes, entry.sha256, entry.rows) == (layout.id, len(data), sha256_hex(data), 2)
    assert set(entry.totals) == set(layout.totals)
    assert entry.name in to_markdown(layout_document(layout))


@pytest.mark.parametrize("layout_id", LAYOUTS)
def test_what_is_refused_is_shown_with_rules_that_have_words(layout_id: str) -> None:
    faults = typical_faults(load_layout(layout_id))
    assert len(faults) >= 2
    assert {fault.rule for fault in faults} <= set(RULES)


def test_byte_places_follow_each_other() -> None:
    layout = load_layout("unionpay_zm/1")
    assert [byte_place(layout, name) for name in ("txn_code", "acquirer", "split_way", "reserved")] == [
        "1–3",
        "5–15",
        "310",
        "477–607",
    ]
    with pytest.raises(KeyError):
        byte_place(layout, "nothing")


def test_text_of_a_declaration_cannot_become_markup() -> None:
    cells = ("a|b", ("<b>x</b>", "x`y"), "`z`")
    document = Document(
        ("<i>", "标题"),
        "x/1",
        (Section(("s", "节"), (Table((("h", "头"),) * 3, (cells,)), Sample("```\n<x>"), Paragraph(("*p*", "段")))),),
    )
    html = to_html(document)
    assert "<b>" not in html
    assert "<i>" not in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    markdown = to_markdown(document)
    assert "| `a\\|b` | \\<b\\>x\\</b\\><br>x\\`y | `` `z` `` |" in markdown
    assert "``````text\n```\n<x>\n``````" in markdown
    assert "\\*p\\*" in markdown


def test_the_command_writes_both_forms_and_the_same_bytes_again(tmp_path: Path) -> None:
    runner = CliRunner()
    line = ["layout", "document", "platform_txn/1", "jixin_aleve/1", "--out", str(tmp_path)]
    assert runner.invoke(app, line).exit_code == 0
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(first) == ["jixin_aleve_v1.html", "jixin_aleve_v1.md", "platform_txn_v1.html", "platform_txn_v1.md"]
    assert runner.invoke(app, line).exit_code == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert runner.invoke(app, ["layout", "document", "nothing/1", "--out", str(tmp_path)]).exit_code == 2
    assert runner.invoke(app, ["layout", "document", "--out", str(tmp_path / "platform_txn_v1.md")]).exit_code == 2


def test_the_list_and_one_layout_as_data() -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["layout", "list"])
    assert listed.exit_code == 0
    assert all(layout_id in listed.stdout for layout_id in LAYOUTS)
    shown = runner.invoke(app, ["layout", "show", "unionpay_zm/1", "--json"])
    assert shown.exit_code == 0
    assert '"bytes": "5–15"' in shown.stdout
