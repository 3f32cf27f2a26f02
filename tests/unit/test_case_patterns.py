"""What comes again is counted once a case, and only what comes again is shown of causes and accounts."""

import json
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from custody.case_patterns import accounts_of, patterns_of


def case(day: int, kind: str = "AMOUNT", **other: Any) -> dict[str, Any]:
    row = {"platform": "P001", "kind": kind, "opened_on": date(2020, 1, day), "state": "OPEN", "amount_minor": 5, "cause": None}
    return row | {"subject": "TXN|R1|1", "evidence": "[]"} | other


def evidence(*accounts: str) -> str:
    return json.dumps([{"from_account": account, "to_account": "P001:P_MARKETING"} for account in accounts])


def test_kinds_causes_accounts_and_days() -> None:
    found = patterns_of(
        [
            case(1, evidence=evidence("P001.LENDER.u1", "P001.LENDER.u1:frozen"), cause="sign:1/-1"),
            case(2, "FEE", subject="BALANCE|LENDER.u1", cause="sign:2/-2", state="CLOSED"),
            case(2, platform="P002", cause="sign:3/-3"),
        ]
    )
    assert [(t.name, t.cases, t.open_cases, t.amount_minor) for t in found.kinds] == [
        (("P001", "AMOUNT"), 1, 1, 5),
        (("P001", "FEE"), 1, 0, 5),
        (("P002", "AMOUNT"), 1, 1, 5),
    ]
    assert [(t.name, t.cases) for t in found.causes] == [(("P001", "sign"), 2)]
    assert [(t.name, t.cases) for t in found.accounts] == [(("P001", "P001.LENDER.u1"), 2)]
    assert [(d.on.day, d.cases, d.amount_minor) for d in found.days] == [(1, 1, 5), (2, 2, 10)]


def test_only_customers_accounts_are_named() -> None:
    assert accounts_of(case(1, evidence=evidence("P001:CORE_CASH"))) == []


@given(
    st.lists(st.builds(case, st.integers(1, 9), st.sampled_from(["AMOUNT", "FEE"]), amount_minor=st.integers(0, 9))),
    st.integers(1, 9),
)
def test_sums_by_kind_and_by_day_are_those_of_the_cases(rows: list[dict[str, Any]], first: int) -> None:
    found = patterns_of(rows, date(2020, 1, first))
    mine = [row for row in rows if row["opened_on"].day >= first]
    for tallies in (found.kinds, found.days):
        assert sum(t.cases for t in tallies) == len(mine)
        assert sum(t.amount_minor for t in tallies) == sum(row["amount_minor"] for row in mine)
