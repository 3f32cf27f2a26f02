"""A second opinion on the day's committed tables, by Great Expectations, and its Data Docs of the day's batches."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from console.output import DateOption, JsonOption, command, emit, parse_date, wired
from custody.errors import UsageError

StepOption = Annotated[
    list[str] | None, typer.Option("--step", help="Only this step's tables; may be repeated. 仅检查该步骤的数据表")
]

DocsOption = Annotated[
    bool, typer.Option("--docs", help="Write the Data Docs of the day's batches, and say where. 生成批次校验文档")
]


def add_expectations(app: typer.Typer) -> None:
    app.command("expect", help="Check the day's committed tables against their expectation suites. 校验已提交的数据表")(expect)


@command
def expect(date_: DateOption, step: StepOption = None, docs: DocsOption = False, as_json: JsonOption = False) -> int:
    if docs and step:
        raise UsageError("--docs is about the day's batches, --step about one step's tables: name one of them")
    return _write_docs(date_, as_json) if docs else _check_tables(date_, step or [], as_json)


def _write_docs(date_: str, as_json: bool) -> int:
    from console.data_docs import write_data_docs

    with wired() as wiring:
        index = write_data_docs(wiring, parse_date(date_))
    emit({"date": date_, "data_docs": str(index)}, as_json, [f"Data Docs 校验文档: {index}"])
    return 0


def _check_tables(date_: str, steps: list[str], as_json: bool) -> int:
    from jobs.expectations import check_tables
    from schemas.expectations import suites

    having = list(dict.fromkeys(suite.step for suite in suites()))
    for name in steps:
        if name not in having:
            raise UsageError(f"step {name!r} has no expectation suites; those with some are {', '.join(having)}")
    with wired() as wiring:
        found = check_tables(wiring, parse_date(date_), steps)
    checked = [suite.table for suite in suites() if not steps or suite.step in steps]
    words = []
    for finding in found:
        english, chinese = finding.words
        words.append(f"{finding.suite}.{finding.column or '*'}: {finding.count} {english} {chinese}")
        words += [f"   {example}" for example in finding.examples]
    rows = [asdict(f) | {"words_en": f.words[0], "words_zh": f.words[1]} for f in found]
    emit(
        {"date": date_, "tables": checked, "findings": rows},
        as_json,
        words or [f"{len(checked)} tables as expected 数据表均符合预期"],
    )
    return 1 if found else 0
