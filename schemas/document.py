"""A document in English and Chinese side by side: sections of paragraphs, tables and samples, as Markdown or as HTML.

The HTML stands alone: no script, no link, its style inside; it follows the reader's light or dark, and prints on paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Words = tuple[str, str]  # (English, Chinese)
Cell = str | Words  # text that is the same in both languages (a name, a figure), or words


@dataclass(frozen=True)
class Paragraph:
    words: Words


@dataclass(frozen=True)
class Table:
    heading: tuple[Words, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Sample:
    """Text of a file, shown as it is."""

    text: str


@dataclass(frozen=True)
class Section:
    title: Words
    blocks: tuple[Paragraph | Table | Sample, ...]


@dataclass(frozen=True)
class Document:
    title: Words
    subtitle: str
    sections: tuple[Section, ...]


def to_markdown(document: Document) -> str:
    lines = [f"# {_both(document.title)}", "", f"`{document.subtitle}`", ""]
    for section in document.sections:
        lines += [f"## {_both(section.title)}", ""]
        for block in section.blocks:
            lines += [*_markdown_block(block), ""]
    return "\n".join(lines[:-1]) + "\n"


def to_html(document: Document) -> str:
    body = [f"<header><h1>{_html(document.title)}</h1><p><code>{escape(document.subtitle)}</code></p></header>"]
    for section in document.sections:
        body.append(f"<section><h2>{_html(section.title)}</h2>")
        body += [_html_block(block) for block in section.blocks]
        body.append("</section>")
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(_both(document.title))}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
    )
    return head + "\n".join(body) + "\n</body>\n</html>\n"


def _both(words: Words) -> str:
    return words[0] if words[0] == words[1] else f"{words[0]} {words[1]}"


def _markdown_block(block: Paragraph | Table | Sample) -> list[str]:
    if isinstance(block, Paragraph):
        return [_markdown_text(block.words[0]), "", _markdown_text(block.words[1])]
    if isinstance(block, Sample):
        # A fence longer than any run of back-ticks inside: cells of a file may begin with one.
        fence = "```" if "```" not in block.text else "``````"
        return [f"{fence}text", block.text.rstrip("\n"), fence]
    rows = [[_both(words) for words in block.heading], ["---"] * len(block.heading)]
    return [_markdown_row(row) for row in (*rows, *([_markdown_cell(cell) for cell in row] for row in block.rows))]


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown_cell(cell: Cell) -> str:
    if isinstance(cell, str):
        # In a table a bar ends the cell even inside a code span, unless it is escaped.
        return f"`` {cell} ``".replace("|", "\\|") if "`" in cell else f"`{cell}`".replace("|", "\\|") if cell else ""
    return "<br>".join(dict.fromkeys(_markdown_text(part) for part in cell))


def _markdown_text(text: str) -> str:
    for mark in "\\|*_<>`[]":
        text = text.replace(mark, "\\" + mark)
    return text


def _html(words: Words) -> str:
    if words[0] == words[1]:
        return escape(words[0])
    return f'<span lang="en">{escape(words[0])}</span> <span lang="zh">{escape(words[1])}</span>'


def _html_block(block: Paragraph | Table | Sample) -> str:
    if isinstance(block, Paragraph):
        return f'<div class="pair"><p lang="en">{escape(block.words[0])}</p><p lang="zh">{escape(block.words[1])}</p></div>'
    if isinstance(block, Sample):
        return f"<pre>{escape(block.text)}</pre>"
    heading = "".join(f"<th>{_html(words)}</th>" for words in block.heading)
    rows = "\n".join("<tr>" + "".join(f"<td>{_html_cell(cell)}</td>" for cell in row) + "</tr>" for row in block.rows)
    return f'<div class="wide"><table>\n<thead><tr>{heading}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def _html_cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"<code>{escape(cell)}</code>" if cell else ""
    return _html(cell)


_STYLE = """\
:root { color-scheme: light dark; --ink: #1c2128; --paper: #ffffff; --soft: #59636e; --line: #d5dbe1; --shade: #f4f6f8; --mark: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe5eb; --paper: #14181d; --soft: #98a4b0; --line: #343c45; --shade: #1d232a; --mark: #7db8f5; }
}
* { box-sizing: border-box; }
body { max-width: 76rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.3; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .7rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h1 span, h2 span { margin-right: .6em; }
h1 [lang=zh], h2 [lang=zh], th [lang=zh] { font-weight: 500; color: var(--soft); }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; font-size: .87em; }
td code { white-space: nowrap; }
header code { color: var(--mark); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 2rem; }
.pair p { margin: .35rem 0; }
.wide { overflow-x: auto; margin: .6rem 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .93em; }
th, td { text-align: left; vertical-align: top; padding: .38rem .6rem; border-bottom: 1px solid var(--line); }
th { background: var(--shade); white-space: nowrap; }
th span, td span { display: block; }
td [lang=zh] { color: var(--soft); }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 4px; padding: .8rem 1rem; overflow-x: auto; line-height: 1.45; }
@media (max-width: 50rem) { .pair { grid-template-columns: 1fr; } }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #333; --line: #999; --shade: #eee; --mark: #000; }
  @page { size: A4 landscape; margin: 14mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  section, tr, pre { break-inside: avoid; }
  section:has(tbody tr:nth-child(12)) { break-inside: auto; }
  thead { display: table-header-group; }
  td code { white-space: normal; overflow-wrap: anywhere; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
}
"""
