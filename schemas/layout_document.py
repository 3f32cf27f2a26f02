"""What a platform reads before it sends a file: one document for a layout, made from its declaration and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from custody.texts import to_do
from schemas.document import Cell, Document, Paragraph, Sample, Section, Table, Words
from schemas.field_types import Field
from schemas.fixed_width import padded
from schemas.layout import Layout
from schemas.layout_example import EXAMPLE_DATE, example_cell, example_name, example_rows, example_seal, typical_faults
from schemas.layout_file import write_file
from schemas.layout_words import check_words, has_code_table, rule_words, type_words

_SENDERS: dict[str, Words] = {
    "platform": ("the platform", "平台"),
    "channel": ("the payment channel", "支付渠道"),
    "gateway": ("the outreach gateway", "外联网关"),
    "bank": ("the custodian bank", "存管银行"),
}
_RECORD_ENDS: dict[str, Words] = {
    "lf": ("LF (0A)", "LF（0A）"),
    "crlf": ("CR LF (0D 0A)", "CR LF（0D 0A）"),
    "none": ("nothing: records follow each other", "无：记录首尾相接"),
}
_ENCODING_NAMES = {"utf-8": "UTF-8", "gb18030": "GB18030", "gbk": "GBK"}
_YES: Words = ("yes", "是")
_NO: Words = ("no", "否")


def layout_document(layout: Layout) -> Document:
    """The whole document. Raises ValueError where a required field has no example and none follows from its type."""
    codes = tuple(_code_section(field) for field in layout.fields if has_code_table(field))
    sections = (
        _file_section(layout),
        _fields_section(layout),
        *codes,
        *_checks_section(layout),
        _key_section(layout),
        *_summary_section(layout),
        _example_section(layout),
        *_seal_section(layout),
        _refused_section(layout),
        _before_sending(layout),
    )
    return Document((layout.title_en, layout.title_zh), layout.id, sections)


def _file_section(layout: Layout) -> Section:
    encodings = ", ".join(_ENCODING_NAMES[encoding] for encoding in layout.encodings)
    rows: list[tuple[Cell, ...]] = [
        (("Layout and version", "版式及版本"), layout.id),
        (("File type", "文件类型"), layout.file_type),
        (("Sent by", "报送方"), _SENDERS[layout.sender]),
    ]
    if layout.sender != "bank":
        rows.append((
            ("When", "报送时间"),
            (
                "for each custody date (a calendar day, UTC+8), once the day has ended and before the cut-off hour of your contract",
                "每个账务日（自然日，东八区）结束之后、合同约定的截止时间之前",
            ),
        ))  # fmt: skip
        rows.append((("Name in the drop", "收件目录中的文件名"), str(example_name(layout, layout.file_type))))
        rows.append((
            ("Parts of the name", "命名规则"),
            (
                "sender, type, custody date, batch (01 to 99), version (v1; a corrected file has the next one)",
                "机构、类型、账务日期、批次（01 至 99）、版本（v1；更正文件用下一版本）",
            ),
        ))  # fmt: skip
    if layout.file_name is not None:
        rows.append((("Name in its own system", "原系统文件名"), layout.file_name.example))
    rows.append((
        ("Encoding", "字符编码"),
        (f"{encodings}: the one that your contract names; a bad byte rejects its row", f"{encodings}，以合同约定为准；非法字节所在行被拒绝"),
    ))  # fmt: skip
    rows += _form_rows(layout)
    return Section(("The file", "文件"), (Table((("what", "项目"), ("value", "内容")), tuple(rows)),))


def _form_rows(layout: Layout) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    if layout.format == "fixed_width":
        length = layout.record_length
        rows.append((
            ("Form", "格式"),
            (f"fixed width: {length} bytes a record, counted in the file's encoding", f"定长：每条记录 {length} 字节（按文件编码计字节）"),
        ))  # fmt: skip
        if layout.filler:
            rows.append((
                ("Between fields", "字段间隔"),
                (f"{layout.filler} blank between two fields", f"相邻字段之间有 {layout.filler} 个空格"),
            ))  # fmt: skip
        rows.append((
            ("Padding", "补位"),
            ("text and codes on the right with spaces, numbers on the left with zeros", "文本与编码右补空格，数字左补零"),
        ))  # fmt: skip
    else:
        header = {
            "exact": ("one line of the fields' names, in their order", "一行字段名，顺序固定"),
            "by_name": ("one line of the fields' names; columns are found by name, in any order", "一行字段名，按名称识别，顺序不限"),
            "none": ("none", "无"),
        }[layout.header_rule]  # fmt: skip
        quoting = {
            "none": (f"none: no cell may hold the delimiter {layout.delimiter}", f"不使用引号：单元格内不得含分隔符 {layout.delimiter}"),
            "doubled": ("RFC 4180: a cell with the delimiter in double quotes", "RFC 4180：含分隔符的单元格加双引号"),
        }[layout.quoting]  # fmt: skip
        rows += [
            (("Form", "格式"), ("delimited", "分隔文本")),
            (("Delimiter", "分隔符"), layout.delimiter),
            (("Header line", "表头"), header),
            (("Quotes", "引号"), quoting),
        ]
        if layout.cell_prefix:
            rows.append((("Before every cell", "单元格前缀"), layout.cell_prefix))
    rows.append((("End of a record", "记录结束符"), _RECORD_ENDS[layout.record_end]))
    for step in layout.envelope:
        words = {
            "zip": (f"zip; the entry's name fits {step.entry}", f"zip 压缩包，内含文件名符合 {step.entry}"),
            "base64": ("base64", "base64 编码"),
            "form": (f"reply of name=value pairs, in {step.member}", f"应答报文“名=值”对，位于 {step.member}"),
            "json": (f"JSON, in {step.member}", f"JSON 报文，位于 {step.member}"),
        }[step.kind]
        rows.append((("Wrapped in", "外层"), words))
    return rows


def _fields_section(layout: Layout) -> Section:
    fixed = layout.format == "fixed_width"
    place: tuple[Words, ...] = (("bytes", "字节位置"), ("length", "长度")) if fixed else ()
    heading = (
        ("no.", "序号"), ("name", "字段"), *place, ("meaning", "含义"), ("type", "类型"), ("required", "必填"), ("rule", "规则"),
        ("example", "示例"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for number, field in enumerate(layout.fields, start=1):
        position: tuple[Cell, ...] = (byte_place(layout, field.name), str(field.width)) if fixed else ()
        name = field.name if fixed else field.heading or field.name
        required = _YES if field.required else _NO
        example = example_cell(field) if field.required or field.example is not None else ""
        if fixed and example:
            example = padded(field, example, layout.encodings[0]).decode(layout.encodings[0]).rstrip(" ")
        title = (field.title_en, field.title_zh)
        rows.append((str(number), name, *position, title, type_words(field), required, rule_words(field), example))
    blocks: list[Paragraph | Table | Sample] = [Table(heading, tuple(rows))]
    if layout.is_personal:
        words = (
            "Fields with personal data are masked in every answer, and kept encrypted.",
            "含个人信息的字段在所有回执中脱敏显示，并加密保存。",
        )
        blocks.append(Paragraph(words))
    return Section(("Fields", "字段"), tuple(blocks))


def byte_place(layout: Layout, name: str) -> str:
    """First and last byte of a field in its fixed-width record, counted from 1. Raises KeyError."""
    start = 1
    for field in layout.fields:
        if field.name == name:
            return f"{start}–{start + field.width - 1}" if field.width > 1 else str(start)
        start += field.width + layout.filler
    raise KeyError(f"layout {layout.id} has no field {name!r}")


def field_rows(layout: Layout) -> list[dict[str, object]]:
    """The fields as data, in file order."""
    return [
        {
            "name": field.name,
            "heading": field.heading or field.name,
            "type": field.type,
            "required": field.required,
            "personal": field.personal,
            "bytes": byte_place(layout, field.name) if layout.format == "fixed_width" else None,
            "codes": list(field.codes),
            "type_en": type_words(field)[0],
            "rule_en": rule_words(field)[0],
            "title_en": field.title_en,
            "title_zh": field.title_zh,
        }
        for field in layout.fields
    ]


def _code_section(field: Field) -> Section:
    """The code list; codes that follow each other with the same words share a row."""
    heading: list[Words] = [("code", "代码"), ("meaning", "含义"), ("our type", "本行交易类型"), ("direction", "方向")]
    groups = [(words, list(codes)) for words, codes in groupby(field.codes, key=field.code_words.get)]
    rows: list[tuple[Cell, ...]] = [
        (", ".join(codes), *(((words.en, words.zh), words.means or "", words.direction or "") if words else ("", "", "")))
        for words, codes in groups
    ]
    used = [n for n in range(len(heading)) if any(row[n] for row in rows)]
    table = Table(tuple(heading[n] for n in used), tuple(tuple(row[n] for n in used) for row in rows))
    note = Paragraph(("A code that is not listed here rejects its row.", "未列出的代码所在行被拒绝。"))
    return Section((f"Codes of {field.name}", f"{field.name} 代码表"), (table, note))


def _checks_section(layout: Layout) -> tuple[Section, ...]:
    if not layout.checks:
        return ()
    rows = tuple((check_words(check),) for check in layout.checks)
    return (Section(("Checks of a row", "行内校验"), (Table((("each row must keep", "每行须满足"),), rows),)),)


def _key_section(layout: Layout) -> Section:
    key = ", ".join(layout.key)
    words = ("No key: rows are not compared with each other.", "无主键：各行之间不作比较。")
    if layout.key:
        words = (
            f"Two rows with the same {key} are shown as duplicates by reconciliation.",
            f"{key} 相同的两行在对账中列为重复。",
        )
        if layout.rejects_repeated_key:
            words = (f"A row whose {key} stood in an earlier row is rejected.", f"{key} 与前面的行相同的行被拒绝。")
    totals = ("No control total.", "无控制总额。")
    if layout.totals:
        names = ", ".join(layout.totals)
        where = ("in the seal", "封签") if layout.sender != "bank" else ("over all rows", "全部行合计")
        totals = (f"Control totals, {where[0]}: {names}.", f"控制总额（{where[1]}）：{names}。")
    return Section(("Key and control totals", "主键与控制总额"), (Paragraph(words), Paragraph(totals)))


def _summary_section(layout: Layout) -> tuple[Section, ...]:
    if layout.summary is None:
        return ()
    side = {"before": ("before", "之前"), "after": ("after", "之后")}[layout.summary.at]
    where = Paragraph((
        f"A header line and a line of values stand {side[0]} the rows; a figure that is not the rows' refuses the file.",
        f"数据行{side[1]}有一行汇总表头和一行汇总值；与数据行不符的文件被拒绝。",
    ))  # fmt: skip
    rows = tuple((f.heading or f.name, (f.title_en, f.title_zh), type_words(f)) for f in (s.field for s in layout.summary.fields))
    table = Table((("name", "字段"), ("meaning", "含义"), ("type", "类型")), rows)
    return (Section(("Summary lines", "汇总行"), (where, table)),)


def _example_section(layout: Layout) -> Section:
    encoding = layout.encodings[0]
    bare = replace(layout, envelope=())
    text = write_file(bare, example_rows(layout, encoding), encoding, EXAMPLE_DATE).decode(encoding)
    words = ("A file of two rows.", "两行数据的文件。")
    if layout.format == "fixed_width":
        words = ("A file of two records; a line here is one record.", "两条记录的文件；此处一行即一条记录。")
    if layout.envelope:
        words = (f"{words[0]} What it is wrapped in is not shown.", f"{words[1]}未显示外层。")
    return Section(("Example", "示例文件"), (Paragraph(words), Sample(text.removeprefix("\ufeff"))))


def _seal_section(layout: Layout) -> tuple[Section, ...]:
    if layout.sender == "bank":
        return ()
    words = Paragraph((
        f"A file is read once {example_name(layout, 'SEAL')} is there: send it last. It names every file of the set with its bytes, rows, "
        "digest (sha256, or sm3 in its place) and control totals in yuan; what it does not name is not read.",
        f"{example_name(layout, 'SEAL')} 到达后才读取文件，须最后发送。它列出本批每个文件的字节数、行数、摘要（sha256，或以 sm3 代之）与控制总额（元）；未列出的文件不读取。",
    ))  # fmt: skip
    return (Section(("The seal", "封签文件"), (words, Sample(example_seal(layout).decode()))),)


def _refused_section(layout: Layout) -> Section:
    structure = (
        ("a record of another length", "长度不符的记录") if layout.format == "fixed_width" else ("a row with another number of columns", "列数不符的行")
    )  # fmt: skip
    where = ("", "") if layout.sender == "bank" else (" in the VALIDATION file of the day", "在当日 VALIDATION 文件中")
    words = Paragraph((
        f"A bad row ({structure[0]}, or a cell that breaks a rule) is rejected and named{where[0]} with its line, field, value and "
        "rule; the other rows land. A file whose header, row count or totals do not hold is refused whole.",
        f"有误的行（{structure[1]}，或单元格违反规则）被拒绝，并{where[1]}列明行号、字段、取值与规则；其余行照常入库。表头、行数或总额不符的文件整体拒收。",
    ))  # fmt: skip
    heading = (("field", "字段"), ("value", "取值"), ("rule", "规则"), ("words", "说明"), ("what to do", "处理办法"))
    rows = tuple((f.field, f.value, f.rule, f.words, to_do(f.rule)) for f in typical_faults(layout))
    return Section(("What a refused row looks like", "被拒绝的行"), (words, Table(heading, rows)))


def _before_sending(layout: Layout) -> Section:
    if layout.sender == "bank":
        own = layout.file_name.example if layout.file_name is not None else "FILE"
        words = ("The same rules, on a file that you were sent:", "对收到的文件执行相同校验：")
        line = f"custody check-file {own} --layout {layout.id} --date {EXAMPLE_DATE}\n"
        return Section(("Check a file yourself", "自行检查文件"), (Paragraph(words), Sample(line)))
    name = example_name(layout, layout.file_type)
    line = f"custody check-file {name} --layout {layout.id} --date {EXAMPLE_DATE}\n"
    said = Paragraph((
        "The same rules on your own machine: every fault with line, field, value, rule and what to do; the seal is checked where it "
        "lies beside the file, else the entry that would fit is printed.",
        "在贵方机器上执行相同校验：逐条列出行号、字段、取值、规则与处理办法；若封签文件在同一目录则一并核对，否则给出应填写的封签内容。",
    ))  # fmt: skip
    return Section(("Before you send", "报送前自检"), (said, Sample(line)))
