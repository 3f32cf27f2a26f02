"""What the system found, as ``simulator.score`` takes it: breaks, rejected rows, files that intake did not take as new, whole batches
that failed an expectation, results that a platform disputes or does not answer, and what does not fit in the core's answers to
charges of custody fees; and how a score is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from connectors.bootstrap import Wiring
from custody.ports import Row
from simulator.score import TOTAL, Score

_SHOWN_ROWS = 40
# Events of intake that leave no break: the day goes on without them, and a person decides or nothing is to be done.
_INTAKE_EVENTS = ("SAME_AGAIN", "RESTATEMENT_PENDING")
_BREAK, _REJECTED, _BATCH = ("reconcile", "breaks"), ("land", "rejected_rows"), ("validate", "batch_findings")
# What platforms answer to results that were sent to them.
_ANSWER, _ANSWERED = ("risk", "alerts"), "RESULT|"


def found_items(wiring: Wiring) -> list[dict[str, Any]]:
    """Every distinct finding of every day that ran: {platform, sides, kind, subject, found_on, case_id, rows}.

    ``found_on`` is the first custody date whose step raised it, as text; null for an event of intake, which has no custody
    date of its own. ``rows``: where the evidence stands, file:line, or an invariant's figures.
    """
    first: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    with wiring.register.transaction() as tx:
        outputs = tx.find("step_output", ("custody_date", "version"), step=[_BREAK[0], _REJECTED[0], _BATCH[0], _ANSWER[0]])
        events = tx.find("file_event", ("event_no",), event=list(_INTAKE_EVENTS))
        fees = [row for row in tx.find("alert") if row["rule"].startswith("FEE_")]
        parties = {file["file_name"]: file["party"] for file in tx.find("file")}
        # Who was never told cannot answer.
        told = {f"{_ANSWERED}{row['file_name']}" for row in tx.find("outbound")}
    for output in outputs:
        for item in _of_step(wiring, output):
            if item["sides"] == "RESULT" and item["subject"] not in told:
                continue
            key = item["platform"], item["sides"], item["kind"], item["subject"]
            first.setdefault(key, {**item, "found_on": output["custody_date"].isoformat()})
    for alert in fees:
        key = alert["platform"], "FEE", alert["rule"], alert["subject"]
        first.setdefault(key, {**_item(*key), "found_on": alert["raised_on"].isoformat()})
    for event in events:
        name = event["file_name"]
        key = parties[name], "INTAKE", event["event"], f"FILE|{name}"
        first.setdefault(key, {**_item(*key), "found_on": None})
    return [first[key] for key in sorted(first)]


def _of_step(wiring: Wiring, output: Row) -> Iterable[dict[str, Any]]:
    rows = wiring.lake.rows
    if output["step"] == _BREAK[0]:
        for b in rows(output["path"], _BREAK[1]):
            rows_of_case = [_evidence(e) for e in json.loads(b["evidence"])]
            yield _item(b["platform"], b["sides"], b["kind"], b["subject"], b["case_id"], rows_of_case)
    elif output["step"] == _REJECTED[0]:
        for r in rows(output["path"], _REJECTED[1]):
            subject = f"ROW|{r['file_name']}|{r['line_no']}"
            yield _item(r["party"], "FILE", "REJECTED_ROW", subject, None, [f"{r['file_name']}:{r['line_no']} {r['rule']}"])
    elif output["step"] == _ANSWER[0]:
        for a in rows(output["path"], _ANSWER[1]):
            if a["subject"].startswith(_ANSWERED):
                yield _item(a["platform"], "RESULT", a["rule"], a["subject"])
    else:
        for r in rows(output["path"], _BATCH[1]):
            if r["severity"] == "fail":
                subject = f"BATCH|{r['file_type']}|{r['custody_date'].isoformat()}|{r['rule']}"
                yield _item(r["party"], "FILE", "BATCH", subject)


def _evidence(of: dict[str, Any]) -> str:
    """Where it stands, file:line; of an invariant its figures."""
    where = of.get("row_ref") or of.get("file_name")
    return str(where) if where else " ".join(f"{name}={value}" for name, value in sorted(of.items()) if name != "side")


def _item(
    platform: str, sides: str, kind: str, subject: str, case_id: str | None = None, rows: list[str] | None = None
) -> dict[str, Any]:
    return {"platform": platform, "sides": sides, "kind": kind, "subject": subject, "case_id": case_id, "rows": rows or []}


def last_closed(wiring: Wiring) -> date | None:
    with wiring.register.transaction() as tx:
        closed: list[date] = [row["custody_date"] for row in tx.find("step_output", step="close")]
    return max(closed, default=None)


def show(screen: Console, result: Score) -> None:
    """The table by kind, then what was missed, what came late and what was raised for nothing."""
    screen.print(score_table(result))
    for label in result.missed[:_SHOWN_ROWS]:
        screen.print(f"[red]missed 漏检[/]  {_label(label)}", soft_wrap=True)
        for expect in label["lacking"]:
            screen.print(f"        lacks 缺 {expect['sides']} {expect['kind']} {expect['subject']}", soft_wrap=True, markup=False)
    for label in result.late[:_SHOWN_ROWS]:
        screen.print(
            f"[yellow]late 迟报[/]  {_label(label)}: found {label['found_on']}, could be known {label['known_by']}",
            soft_wrap=True,
        )
    for finding in result.false[:_SHOWN_ROWS]:
        where = (
            f"{finding.get('found_on') or '-'} {finding['platform']} {finding['sides']} {finding['kind']} {finding['subject']}"
        )
        rows = " ".join(finding.get("rows") or [])
        screen.print(f"[magenta]false 误报[/]  {where}  case {finding.get('case_id') or '-'}  {rows}", soft_wrap=True)
    cut = sum(max(0, len(rows) - _SHOWN_ROWS) for rows in (result.missed, result.late, result.false))
    if cut:
        screen.print(f"... {cut} more rows: --json has all of them / 其余 {cut} 条见 --json")


def score_table(result: Score) -> Table:
    table = Table(title="Planted and found, by kind of fault / 植入与检出", box=SIMPLE, pad_edge=False, padding=0)
    # Short names, so that a screen of 80 columns holds them.
    shown = {name: name for name in ("planted", "not_due", "found", "late", "missed", "false", "recall", "precision")}
    shown |= {"not_due": "undue", "precision": "precis."}
    table.add_column("fault 差错", no_wrap=True)
    for title in shown.values():
        table.add_column(title, justify="right", no_wrap=True)
    for kind, line in result.kinds.items():
        is_whole = not (line["missed"] or line["false"] or line["late"])
        style = ("bold " if kind == TOTAL else "") + ("green" if is_whole else "red")
        table.add_row(kind, *(str(line[name]) for name in shown), style=style)
    return table


def _label(label: dict[str, Any]) -> str:
    return f"{label['fault_id']} {label['kind']} {label['custody_date']} {label['words_en']}"
