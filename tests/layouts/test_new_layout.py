"""Adding a layout needs no code: a declaration in a file is read, writes, is documented, and checks a file."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import app
from custody.declared import BadDeclaration
from schemas.document import to_html, to_markdown
from schemas.layout import load_declaration
from schemas.layout_document import layout_document
from schemas.layout_file import control_totals, parse_file, write_file

DAY = date(2019, 12, 30)
DECLARATION = """
layout: riverbank_flow
version: 1
file_type: TXN
sender: platform
format: fixed_width
record_length: 48
filler: 1
record_end: crlf
encodings: [gb18030]
title: {en: "Flows of a bank that nobody has met", zh: "某银行流水"}
key: [serial]
repeated_key: reject
totals: [amount]
fields:
  - {name: serial, type: code, required: true, width: 6, pattern: "[0-9]{6}", example: "000001", title: {en: "serial number", zh: "流水号"}}
  - {name: booked, type: date, required: true, width: 8, form: yyyymmdd, title: {en: "booked on", zh: "入账日"}}
  - {name: mark, type: enum, required: true, width: 1, codes: {D: {en: "in", zh: "入账"}, C: {en: "out", zh: "出账"}}, title: {en: "mark", zh: "标志"}}
  - {name: amount, type: amount, required: true, width: 12, unit: fen, sign: {field: mark, plus: D, minus: C}, title: {en: "amount <fen>", zh: "金额"}}
  - {name: words, type: text, required: false, width: 17, max: 17, example: "充值", title: {en: "words", zh: "摘要"}}
checks:
  - {order: [booked, custody_date]}
"""
ROWS = [
    {"serial": "000001", "booked": DAY, "mark": "D", "amount_minor": 123456, "words": "充值－王䶮"},
    {"serial": "000002", "booked": DAY, "mark": "C", "amount_minor": -1, "words": None},
]


@pytest.fixture
def declaration(tmp_path: Path) -> Path:
    path = tmp_path / "riverbank_flow_v1.yaml"
    path.write_text(DECLARATION, encoding="utf-8")
    return path


def test_a_file_is_written_and_read_back_by_it(declaration: Path) -> None:
    layout = load_declaration(declaration)
    data = write_file(layout, ROWS, "gb18030", DAY)
    assert data.startswith(b"000001 20191230 D 000000123456 " + "充值－王䶮".encode("gb18030"))
    assert [len(line) for line in data.split(b"\r\n")] == [48, 48, 0]
    parsed = parse_file(layout, "F", data, "gb18030", DAY, 2, control_totals(layout, ROWS))
    assert (parsed.faults, parsed.file_faults) == ([], [])
    assert [{k: v for k, v in row.items() if k != "line_no"} for row in parsed.rows] == ROWS
    assert [f.rule for f in parse_file(layout, "F", data, "gb18030", date(2019, 12, 29)).faults] == ["check_order"] * 2


def test_it_is_documented(declaration: Path) -> None:
    document = layout_document(load_declaration(declaration))
    for text in (to_markdown(document), to_html(document)):
        assert "某银行流水" in text
        assert "入账日" in text
        assert "32–48" in text
    assert "amount &lt;fen&gt;" in to_html(document)
    assert "<fen>" not in to_html(document)


def test_a_file_is_checked_by_it(declaration: Path, tmp_path: Path) -> None:
    layout = load_declaration(declaration)
    file = tmp_path / "FLOW20191230"
    file.write_bytes(write_file(layout, ROWS, "gb18030", DAY).replace(b" C ", b" X "))
    line = ["check-file", str(file), "--layout", str(declaration), "--date", DAY.isoformat(), "--json"]
    answer = CliRunner().invoke(app, line)
    assert answer.exit_code == 1
    found = json.loads(answer.stdout)
    assert [(f["line"], f["field"], f["value"], f["rule"]) for f in found["faults"]] == [(2, "mark", "X", "codes")]


def test_a_declaration_that_contradicts_itself_is_refused(declaration: Path) -> None:
    declaration.write_text(DECLARATION.replace("record_length: 48", "record_length: 49"), encoding="utf-8")
    with pytest.raises(BadDeclaration):
        load_declaration(declaration)
    answer = CliRunner().invoke(app, ["layout", "show", str(declaration)])
    assert answer.exit_code == 2
