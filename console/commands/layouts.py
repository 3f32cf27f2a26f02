"""What a platform needs before it sends: the layouts, their documents, and the check of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.output import JsonOption, command, emit, parse_date
from custody.counting import counted
from custody.errors import UsageError

if TYPE_CHECKING:
    from console.file_check import FileCheck
    from schemas.layout import Layout

# A bad export breaks one rule in every row: enough is shown to see it, and the full count is said.
_SHOWN_ROWS = 50


def add_layouts(app: typer.Typer) -> None:
    app.command("check-file", help="What a platform runs before it sends. 报送前自检")(check_file)
    layout_app = typer.Typer(help="What files look like, and the documents that say so. 文件版式", no_args_is_help=True)
    layout_app.command("list", help="Every layout and version. 版式列表")(layout_list)
    layout_app.command("show", help="One layout's fields and rules. 版式内容")(layout_show)
    layout_app.command("document", help="Write the documents that a platform reads. 生成版式文档")(layout_document)
    app.add_typer(layout_app, name="layout")


@command
def layout_list(as_json: JsonOption = False) -> int:
    from schemas.layout import all_layouts

    rows = [_summary(layout) for layout in all_layouts().values()]
    words = [
        f"{r['layout']:<26} {r['file_type']:<16} {r['sender']:<9} {r['format']:<12} {r['title_en']} {r['title_zh']}" for r in rows
    ]
    emit({"layouts": rows}, as_json, words)
    return 0


def _summary(layout: Layout) -> dict[str, Any]:
    return {
        "layout": layout.id,
        "file_type": layout.file_type,
        "sender": layout.sender,
        "format": layout.format,
        "encodings": list(layout.encodings),
        "fields": len(layout.fields),
        "lands_as": layout.lands.layout if layout.lands else None,
        "title_en": layout.title_en,
        "title_zh": layout.title_zh,
    }


@command
def layout_show(
    layout: Annotated[str, typer.Argument(help="Layout id such as platform_txn/1, or its YAML file. 版式")],
    as_json: JsonOption = False,
) -> int:
    """The layout as its document says it: Markdown, or with --json the fields as data."""
    from console.file_check import layout_of
    from schemas.document import to_markdown
    from schemas.layout_document import field_rows
    from schemas.layout_document import layout_document as document_of

    found = layout_of(layout)
    result = _summary(found) | {"key": list(found.key), "totals": list(found.totals), "field_list": field_rows(found)}
    emit(result, as_json, to_markdown(document_of(found)).splitlines())
    return 0


@command
def layout_document(
    out: Annotated[str, typer.Option("--out", help="Folder for the documents. 输出目录")],
    layouts: Annotated[list[str] | None, typer.Argument(help="Layout ids or YAML files; all when none is named. 版式")] = None,
    as_json: JsonOption = False,
) -> int:
    from console.file_check import layout_of
    from schemas.document import to_html, to_markdown
    from schemas.layout import all_layouts
    from schemas.layout_document import layout_document as document_of

    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{out} is not a folder")
    chosen = [layout_of(layout_id) for layout_id in layouts or all_layouts()]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for layout in chosen:
        document = document_of(layout)
        for suffix, text in (("md", to_markdown(document)), ("html", to_html(document))):
            path = folder / f"{layout.name}_v{layout.version}.{suffix}"
            path.write_text(text, encoding="utf-8")
            written.append(str(path))
    emit({"documents": written}, as_json, written)
    return 0


@command
def check_file(
    path: Annotated[str, typer.Argument(help="The file to check. 待检查文件")],
    layout: Annotated[
        str, typer.Option("--layout", help="Layout id such as platform_txn/1, or its YAML file; else by seal or name. 版式")
    ] = "",
    encoding: Annotated[str, typer.Option("--encoding", help="utf-8, gb18030, gbk; else by seal or layout. 编码")] = "",
    date_: Annotated[str, typer.Option("--date", help="Custody date, YYYY-MM-DD; else by the name. 账务日期")] = "",
    seal: Annotated[str, typer.Option("--seal", help="The seal; else the one beside the file. 封签文件")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Faults to show. 显示的差错条数")] = _SHOWN_ROWS,
    as_json: JsonOption = False,
) -> int:
    from console.file_check import check_file as check

    on = parse_date(date_) if date_ else None
    found = check(Path(path), layout or None, encoding or None, on, Path(seal) if seal else None)
    faults = _faults(found)
    if as_json:
        emit(_result(found, faults, limit), as_json)
    else:
        _print_check(Path(path).name, found, faults, limit)
    return 0 if found.is_good else 1


def _faults(found: FileCheck) -> list[dict[str, Any]]:
    """File faults first (line 0), then the rows' in their order."""
    from custody.texts import to_do

    listed = [(0, "", "", fault) for fault in found.file_faults] + [(f.line_no, f.field, f.value, f) for f in found.row_faults]
    return [
        {
            "line": line,
            "field": field,
            "value": value,
            "rule": fault.rule,
            "en": fault.words[0],
            "zh": fault.words[1],
            "to_do_en": to_do(fault.rule)[0],
            "to_do_zh": to_do(fault.rule)[1],
        }
        for line, field, value, fault in listed
    ]


def _result(found: FileCheck, faults: Sequence[dict[str, Any]], limit: int) -> dict[str, Any]:
    return {
        "layout": found.layout.id,
        "encoding": found.encoding,
        "rows": found.rows,
        "good": found.good,
        "name_fits": found.name_fits,
        "seal": found.seal,
        "entry": found.entry.model_dump() if found.entry is not None else None,
        "fault_count": len(faults),
        "faults": list(faults[:limit]),
    }


def _print_check(name: str, found: FileCheck, faults: Sequence[dict[str, Any]], limit: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    screen = Console(soft_wrap=False)
    if not screen.is_terminal:
        screen = Console(width=160)
    if faults:
        table = Table(title=f"{name} ({found.layout.id}, {found.encoding})", show_lines=True)
        place = "record 记录" if found.layout.format == "fixed_width" else "line 行"
        for heading, style in ((place, "cyan"), ("field 字段", "cyan"), ("value 取值", "yellow"), ("rule 规则", "red")):
            table.add_column(heading, style=style, overflow="fold")
        table.add_column("words 说明", overflow="fold")
        table.add_column("what to do 处理办法", overflow="fold")
        for f in faults[:limit]:
            line = str(f["line"]) if f["line"] else "file 文件"
            words, to_do = f"{f['en']}\n{f['zh']}", f"{f['to_do_en']}\n{f['to_do_zh']}"
            # Text, not markup: a sender's value may hold square brackets.
            table.add_row(*map(Text, (line, _place(found.layout, f["field"]), f["value"], f["rule"], words, to_do)))
        screen.print(table)
        if len(faults) > limit:
            rest = len(faults) - limit
            screen.print(f"{rest} more of {len(faults)} faults; --limit shows more 另有 {rest} 条差错未显示，共 {len(faults)} 条")
    if any(f["rule"] == "bad_byte" for f in faults):
        for other in found.layout.encodings:
            if other != found.encoding:
                screen.print(
                    f"if the file is in {other}, check it with --encoding {other} 如文件为 {other} 编码，请加 --encoding {other}"
                )
    counts = f"{counted(found.rows, 'row')}, {found.good} good, {counted(len(faults), 'fault')} 共 {found.rows} 行，合格 {found.good} 行，差错 {len(faults)} 条"
    screen.print(Text(counts, style="bold green" if found.is_good else "bold red"))
    if not found.name_fits:
        english, chinese = found.name_words
        screen.print(Text(f"before sending, rename it: {english} 报送前请改名：{chinese}", style="yellow"))
    if found.seal is not None:
        screen.print(Text(f"checked against 已核对封签 {found.seal}"))
    if found.entry is not None and (found.seal is None or not found.is_good):
        screen.print(Text("the seal's entry that fits this file 与该文件相符的封签内容："))
        screen.print(Text(found.entry.model_dump_json(indent=1)), soft_wrap=True)


def _place(layout: Layout, field: str) -> str:
    """The field's name; in fixed width also its bytes."""
    from schemas.layout_document import byte_place

    known = layout.format == "fixed_width" and field in layout.by_name
    return f"{field} {byte_place(layout, field)}" if known else field
