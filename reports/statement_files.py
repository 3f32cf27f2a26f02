"""The files of a customer's statement: XLSX in both languages at once, PDF in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from custody.services.statements import Statement
from reports import pdf, xlsx
from reports.definition import LANGUAGES
from reports.font import font_for
from reports.statement_report import statement_report
from reports.terms import load_terms


def statement_files(who: str, statements: Sequence[Statement], bank_name: str) -> Mapping[str, bytes]:
    """By name. ``who``: the sub-account or the customer's number that was asked for."""
    report = statement_report(statements, bank_name, load_terms())
    stem = f"statement_{who.replace('.', '-')}_{report.period.name}"
    with font_for(pdf.texts(report)) as font:
        documents = {f"{stem}_{language}.pdf": pdf.render(report, language, font) for language in LANGUAGES}
    return {f"{stem}.xlsx": xlsx.render(report), **documents}
