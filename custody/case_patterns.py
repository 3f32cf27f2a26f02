"""What comes again: cases by platform, kind, day, cause and account. Pure functions over the register's rows."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

Row = Mapping[str, Any]

_ACCOUNTS = ("from_account", "to_account", "holder", "account")
# From so many cases on, an account or a cause is a pattern.
_REPEATED = 2


@dataclass(frozen=True)
class Tally:
    """``name``: (platform, and what is counted)."""

    name: tuple[str, str]
    cases: int
    open_cases: int
    amount_minor: int


@dataclass(frozen=True)
class DayTally:
    on: date
    cases: int
    amount_minor: int


@dataclass(frozen=True)
class Patterns:
    """``days``: of each date with a case that was opened on it. The others: most frequent first; causes and accounts only where
    they come more than once."""

    kinds: tuple[Tally, ...]
    days: tuple[DayTally, ...]
    causes: tuple[Tally, ...]
    accounts: tuple[Tally, ...]


def patterns_of(cases: Iterable[Row], since: date | None = None) -> Patterns:
    """Of the cases that were opened on ``since`` or later. A case counts once for each account that it names."""
    rows = [case for case in cases if since is None or case["opened_on"] >= since]
    by_day: dict[date, list[Row]] = defaultdict(list)
    for case in rows:
        by_day[case["opened_on"]].append(case)
    days = tuple(DayTally(on, len(found), sum(c["amount_minor"] for c in found)) for on, found in sorted(by_day.items()))
    causes = ((case, case["cause"].partition(":")[0]) for case in rows if case["cause"])
    accounts = ((case, account) for case in rows for account in accounts_of(case))
    return Patterns(
        kinds=_tallies(((case, case["kind"]) for case in rows), 1),
        days=days,
        causes=_tallies(causes, _REPEATED),
        accounts=_tallies(accounts, _REPEATED),
    )


def accounts_of(case: Row) -> list[str]:
    """The accounts that a case's evidence or subject names, each once."""
    named = {row[name] for row in json.loads(case["evidence"]) for name in _ACCOUNTS if row.get(name)}
    word, _, rest = case["subject"].partition("|")
    if word == "BALANCE":
        named.add(f"{case['platform']}.{rest}")
    # Accounts of customers only: a platform's own stand on one side of most movements.
    return sorted({account.partition(":")[0] for account in named if "." in account})


def _tallies(found: Iterable[tuple[Row, str]], least: int) -> tuple[Tally, ...]:
    by_name: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for case, name in found:
        by_name[case["platform"], name].append(case)
    tallies = [
        Tally(name, len(rows), sum(r["state"] == "OPEN" for r in rows), sum(r["amount_minor"] for r in rows))
        for name, rows in by_name.items()
        if len(rows) >= least
    ]
    return tuple(sorted(tallies, key=lambda t: (-t.cases, -t.amount_minor, t.name)))
