"""The shadow ledger from side A alone (domain.md §6): a platform's BALANCE file of a date must follow from that of the day before
and its own TXN of the date. Judged once all three have landed whole; what does not follow is a BALANCE_CHAIN of side A.

The sums are made by columns (jobs.reconcile.shadow_sums; custody.shadow_ledger is the rule in pure form). They
are sealed, and stay until a later day heals them: a movement filed a day late, a balance put right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Any

import pyarrow.compute as pc

from custody.matching import case_id
from custody.names import BreakKind, FileType
from custody.ports import Row
from custody.shadow_ledger import unexplained
from jobs.reconcile.breaks import Breaks
from jobs.reconcile.day import Day
from jobs.reconcile.landed import day_before, landed_since, landed_today, pieces_of
from jobs.reconcile.shadow_sums import Told, sums_beyond

TABLE = "shadow_differences"
SIDES = "A"
_NEEDED = frozenset({str(FileType.BALANCE), str(FileType.TXN)})
_Judged = set[tuple[str, date]]


def shadow_differences(day: Day) -> list[Row]:
    """Yesterday's differences, those of (platform, date) that can be judged now replaced by what is found now."""
    judged = _can_be_judged(day)
    carried = [
        row for row in day.context.rows("reconcile", TABLE, on=day.yesterday) if (row["platform"], row["as_of"]) not in judged
    ]
    found = _differences(day, judged) if judged else []
    return _not_healed(_still_awaited(row, judged) for row in (*carried, *found))


def _still_awaited(row: Row, judged: _Judged) -> Row:
    """Nothing is awaited any more once the next date is judged, with the file that should have brought it."""
    if (row["platform"], row["as_of"] + timedelta(days=1)) not in judged:
        return row
    return row | {"awaited_available_minor": 0, "awaited_frozen_minor": 0}


def add_shadow(breaks: Breaks, found: Iterable[Row]) -> None:
    """One case for an account, as long as its differences do not cancel out; its evidence is the same from day to day."""
    for (platform, account), rows in sorted(_by_account(found).items()):
        beyond = unexplained(rows)
        if beyond is None:
            continue
        amount = abs(sum(beyond)) or abs(beyond[0])
        evidence = [line for row in rows if not _is_awaited(row) for line in _evidence(row)]
        breaks.add(platform, SIDES, _subject(account), BreakKind.BALANCE_CHAIN, amount, evidence)


def kept(found: Iterable[Row], cases: Iterable[Row], resolved: Collection[tuple[str, str]]) -> list[Row]:
    """What stays for tomorrow: not what two people settled (``resolved``), from where the replay goes on."""
    settled = {case["case_id"] for case in cases if (case["case_id"], case["evidence_digest"]) in resolved}
    return [row for row in found if case_id(row["platform"], SIDES, _subject(row["account"])) not in settled]


def _subject(account: str) -> str:
    return f"SHADOW|{account}"


def _not_healed(rows: Iterable[Row]) -> list[Row]:
    by_account = _by_account(rows)
    return [
        row
        for _, own in sorted(by_account.items())
        if any(sum(r[name] for r in own) for name in ("available_minor", "frozen_minor"))
        for row in own
    ]


def _by_account(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: (r["platform"], r["account"], r["as_of"])):
        found[row["platform"], row["account"]].append(row)
    return found


def _is_awaited(row: Row) -> bool:
    """Whether the date's difference is just what may still be filed with the next date."""
    beyond = row["available_minor"], row["frozen_minor"]
    return beyond == (row["awaited_available_minor"], row["awaited_frozen_minor"])


def _evidence(row: Row) -> list[dict[str, Any]]:
    """The two balance rows, and the net of the platform's own movements between them."""
    lines: list[dict[str, Any]] = []
    for name, as_of in (("before", day_before(row["as_of"])), ("after", row["as_of"])):
        figures = {f"{part}_minor": row[f"{name}_{part}_minor"] for part in ("available", "frozen")}
        lines.append({"side": "A", "row_ref": row[f"{name}_ref"], "store_key": None, "as_of": as_of.isoformat(), **figures})
    moved = {f"{part}_minor": row[f"moved_{part}_minor"] for part in ("available", "frozen")}
    net = {"side": "A", "row_ref": None, "store_key": None, "as_of": row["as_of"].isoformat(), "movements": row["movements"]}
    return [*lines, {**net, **moved}]


def _can_be_judged(day: Day) -> _Judged:
    """(platform, date) of which a file landed today that the date's replay needs, if all of them have landed by now.

    A platform's first file follows from nothing: before it there was no balance."""
    touched: _Judged = set()
    for (party, _), dates_of in landed_today(day.outcomes, _NEEDED).items():
        if set(day.reference.parties[party]["contract"]["file_types"]) >= _NEEDED:
            # The next date follows from this one's balance; and what did not follow there, this date's file may explain.
            touched |= {(party, on + timedelta(days=n)) for on in dates_of for n in (0, 1)}
    touched = {(party, on) for party, on in touched if on <= day.today}
    if not touched:
        return set()
    there = landed_since(day.context, day_before(min(on for _, on in touched)))

    def whole(party: str, file_type: FileType, on: date) -> bool:
        return (party, str(file_type), on) in there and f"{party}|{file_type}|{on.isoformat()}" not in day.missing

    return {
        (party, on)
        for party, on in touched
        if whole(party, FileType.BALANCE, on)
        and whole(party, FileType.TXN, on)
        and (whole(party, FileType.BALANCE, day_before(on)) or _is_first(day, party, on))
    }


def _is_first(day: Day, platform: str, on: date) -> bool:
    """Whether the platform had no account with us before this date."""
    balances = day.context.table("post", "balances", on=day_before(on), columns=["platform"])
    return balances is None or not pc.any(pc.equal(balances["platform"], platform)).as_py()


def _differences(day: Day, judged: _Judged) -> list[Row]:
    on = {of for _, of in judged}
    context = day.context
    ours = [seal.path for of in sorted(on) if (seal := context.seal("post", on=of)) is not None]
    told = Told(
        balances=lambda columns: pieces_of(context, "land_balance", on | {day_before(of) for of in on}, columns),
        movements=lambda columns: pieces_of(context, "land_txn", on, columns),
        ours=lambda columns: (piece for path in ours for piece in context.wiring.lake.pieces(path, "ledger_txn", {}, columns)),
    )
    found = sums_beyond(judged, told, day.reference.rules.window_minutes)
    return [_all_awaited(row) if day.lacks_instructions(row["as_of"]) else row for row in found]


def _all_awaited(row: Row) -> Row:
    """Without the date's instructions nobody knows what happened near midnight: the next date's file tells."""
    return row | {f"awaited_{part}_minor": row[f"{part}_minor"] for part in ("available", "frozen")}
