"""What platforms published of a month and what our sealed books of its last date say, figure by figure, on the day the file lands.

A restated file is compared like the first. Where instructions of the month came after its last date was posted, our books of that date
were not whole, and nothing of it is judged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from custody.case_evidence import FIGURES
from custody.disclosure import AMOUNTS, BASIS, FIGURE_WORDS, DisclosedLoan, Figure, agrees, disclosed
from custody.names import BreakKind, FileType, Role, TxnType
from custody.payment_parts import Left, left_after
from custody.ports import Row
from jobs.reconcile.breaks import Breaks
from jobs.reconcile.day import Day
from jobs.reconcile.repayments import is_told, paid_to_lenders, terms_of
from jobs.reference import Reference
from jobs.step import StepContext

_SHOWN_LOANS = 20
AGREES, DIFFERS, NOT_JUDGED = "AGREES", "DIFFERS", "NOT_JUDGED"


@dataclass(frozen=True)
class Disclosures:
    """``rows``: the table; ``found``: of those that differ, the row and our figure."""

    rows: list[Row]
    found: list[tuple[Row, Figure]]


def compare_disclosures(day: Day, repayments: pa.Table) -> Disclosures:
    """``repayments``: today's table, for a file of today's own date."""
    rows: list[Row] = []
    found: list[tuple[Row, Figure]] = []
    for published in day.context.rows("land", "land_disclosure"):
        ours = figures_of(day, published["party"], published["as_of"], repayments)
        for name in FIGURE_WORDS:
            figure = ours.get(name, Figure(name, None))
            same = agrees(figure, published)
            row = {
                "platform": published["party"],
                "as_of": published["as_of"],
                "figure": name,
                "published": str(published[name]),
                "ours": None if figure.value is None else str(figure.value),
                "verdict": NOT_JUDGED if same is None else AGREES if same else DIFFERS,
                "loans": len(figure.loans),
                "file_name": published["file_name"],
                "line_no": published["line_no"],
            }
            rows.append(row)
            if same is False:
                found.append((row, figure))
    return Disclosures(rows, found)


def add_disclosures(breaks: Breaks, disclosures: Disclosures) -> None:
    """Each figure that is not ours: theirs, ours, what it means, and the loans behind ours."""
    for row, figure in disclosures.found:
        name, is_amount = row["figure"], row["figure"] in AMOUNTS
        theirs = int(row["published"]) if is_amount else row["published"]
        ours = int(row["ours"]) if is_amount else row["ours"]
        english, chinese = FIGURE_WORDS[name]
        evidence = [
            {
                "side": FIGURES,
                "rule": BASIS,
                "words_en": english,
                "words_zh": chinese,
                "as_of": row["as_of"].isoformat(),
                "loans_behind": len(figure.loans),
                "loan_id": ", ".join(figure.loans[:_SHOWN_LOANS]) or None,
            },
            {"side": "A", "row_ref": f"{row['file_name']}:{row['line_no']}", "store_key": None, name: theirs},
            {"side": "B", "row_ref": f"snapshot:loan:{row['as_of'].isoformat()}", "store_key": None, name: ours},
        ]
        off = abs(int(row["published"]) - int(row["ours"])) if is_amount else 0
        breaks.add(row["platform"], "AB", subject_of(row), BreakKind.DISCLOSURE, off, evidence)


def told_disclosures(disclosures: Disclosures) -> frozenset[tuple[str, str]]:
    """(platform, subject) of the figures on which today has a word."""
    return frozenset((row["platform"], subject_of(row)) for row in disclosures.rows)


def subject_of(row: Row) -> str:
    return f"DISCLOSURE|{row['as_of'].isoformat()}|{row['figure']}"


class Books(Protocol):
    """What is read of a day to reckon its figures anew: reconciliation's own, or a report's."""

    @property
    def context(self) -> StepContext: ...
    @property
    def reference(self) -> Reference: ...
    @property
    def today(self) -> date: ...


def figures_of(day: Books, platform: str, as_of: date, repayments: pa.Table) -> dict[str, Figure]:
    """Our figures of a platform at the end of a date up to today; none where our books of it are not there or were not whole.
    ``repayments``: that table of ``as_of`` where it is today."""
    loans = day.context.table("post", "loans", on=as_of)
    claims, accounts = (day.context.table("post", name, on=as_of) for name in ("claims", "sub_accounts"))
    if loans is None or claims is None or accounts is None or _came_late(day, as_of):
        return {}
    paid = repayments if as_of == day.today else day.context.table("reconcile", "repayments", on=as_of)
    assert paid is not None
    mine = _of(accounts, platform)
    persons = dict(zip(mine["sub_account"].to_pylist(), mine["customer_id"].to_pylist(), strict=True))
    held = _of(claims, platform)
    lenders = held.filter(pc.starts_with(held["holder"], f"{platform}.{Role.LENDER}."))
    now = lenders.filter(pc.greater(lenders["principal_minor"], 0))
    ever, current = ({persons[holder] for holder in some["holder"].unique().to_pylist()} for some in (lenders, now))
    told = list(_loans(day, platform, as_of, _of(loans, platform), _of(paid, platform), persons))
    return disclosed(told, len(ever), len(current), day.reference.related_parties(platform), as_of)


def _came_late(day: Books, as_of: date) -> bool:
    """Whether instructions of the date, or of one before it, were still expected when it was posted."""
    return any(
        o["outcome"] == "EXPECTED" and o["file_type"] == FileType.INSTRUCTION and o["custody_date"] <= as_of
        for o in day.context.rows("land", "file_outcomes", on=as_of)
    )


def _of(table: pa.Table, platform: str) -> pa.Table:
    return table.filter(pc.equal(table["platform"], platform))


def _loans(
    day: Books, platform: str, as_of: date, loans: pa.Table, paid: pa.Table, persons: dict[str, str]
) -> Iterator[DisclosedLoan]:
    payments: dict[str, list[Row]] = defaultdict(list)
    for row in paid.to_pylist():
        payments[row["loan_id"]].append(row)
    order = day.reference.repayment_order(platform)
    for loan in loans.filter(pc.greater(loans["funded_minor"], 0)).to_pylist():
        own = payments[loan["loan_id"]]
        balance = loan["funded_minor"] - loan["principal_repaid_minor"]
        left: Left | None = Left((), 0)
        if balance:
            terms = terms_of(loan, own)
            whole = terms is not None and all(is_told(row) for row in own)
            left = left_after(terms, paid_to_lenders(own), as_of, order) if terms is not None and whole else None
        by_guarantors = Counter(
            {row["request_no"]: row["amount_minor"] for row in own if row["txn_type"] == TxnType.COMPENSATION}
        )
        yield DisclosedLoan(
            loan_id=loan["loan_id"],
            borrower=persons.get(loan["borrower"], loan["borrower"]),
            lent_minor=loan["funded_minor"],
            balance_minor=balance,
            left=left,
            compensated_minor=by_guarantors.total(),
            compensations=len(by_guarantors),
        )
