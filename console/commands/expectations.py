"""A second opinion on the day's committed tables, by Great Expectations."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from console.output import DateOption, JsonOption, command, emit, parse_date, wired
from custody.errors import UsageError

StepOption = Annotated[
    list[str] | None, typer.Option("--step", help="Only this step's tables; may be repeated. 仅检查该步骤的数据表")
]


def add_expectations(app: typer.Typer) -> None:
    app.command("expect", help="Check the day's committed tables against their expectation suites. 校验已提交的数据表")(expect)


@command
def expect(date_: DateOption, step: StepOption = None, as_json: JsonOption = False) -> int:
    from jobs.expectations import check_tables
    from schemas.expectations import suites

    steps = step or []
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
