"""The shadow ledger from side A alone (domain.md §6): a platform's BALANCE file of a date must follow from that of the day before
and its own TXN of the date. Judged once all three have landed whole; what does not follow is a BALANCE_CHAIN of side A.

The engine sums; only accounts whose balances do not follow come to Python (custody.shadow_ledger is the rule in pure form). They
are sealed, and stay until a later day heals them: a movement filed a day late, a balance put right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Any

import pyarrow.compute as pc
from pyspark.sql import SparkSession

from custody.matching import case_id
from custody.names import BreakKind, FileType
from custody.ports import Row
from custody.shadow_ledger import EFFECTS, FIGURES, FROM, MOVES_MONEY, TO, UNLISTED, Effect, unexplained
from jobs.reconcile.breaks import Breaks
from jobs.reconcile.day import Day
from jobs.reconcile.landed import day_before, landed_since, landed_today, rows_of
from jobs.reconcile.relations import in_window_sql

TABLE = "shadow_differences"
SIDES = "A"
_NEEDED = frozenset({str(FileType.BALANCE), str(FileType.TXN)})
_Judged = set[tuple[str, date]]


def shadow_differences(day: Day, spark: SparkSession) -> list[Row]:
    """Yesterday's differences, those of (platform, date) that can be judged now replaced by what is found now."""
    judged = _can_be_judged(day)
    carried = [
        row for row in day.context.rows("reconcile", TABLE, on=day.yesterday) if (row["platform"], row["as_of"]) not in judged
    ]
    found = _differences(day, spark, judged) if judged else []
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
    balances = day.context.table("post", "balances", on=day_before(on))
    return balances is None or not pc.any(pc.equal(balances["platform"], platform)).as_py()


def _differences(day: Day, spark: SparkSession, judged: _Judged) -> list[Row]:
    on = {of for _, of in judged}
    rows_of(day.context, spark, "land_balance", on | {day_before(of) for of in on}).createOrReplaceTempView("shadow_balance")
    rows_of(day.context, spark, "land_txn", on).createOrReplaceTempView("shadow_txn")
    ours = [day.context.seal("post", on=of) for of in sorted(on)]
    paths = [day.context.wiring.lake.parquet(seal.path, "ledger_txn") for seal in ours if seal is not None]
    spark.read.parquet(*paths).createOrReplaceTempView("shadow_ledger_txn")
    spark.createDataFrame(sorted(judged), "platform string, as_of date").createOrReplaceTempView("shadow_judged")
    found = spark.sql(differences_sql(day.reference.rules.window_minutes)).toArrow().to_pylist()
    return [_all_awaited(row) if day.lacks_instructions(row["as_of"]) else row for row in found]


def _all_awaited(row: Row) -> Row:
    """Without the date's instructions nobody knows what happened near midnight: the next date's file tells."""
    return row | {f"awaited_{part}_minor": row[f"{part}_minor"] for part in ("available", "frozen")}


_FIGURES = [
    "before_available_minor",
    "before_frozen_minor",
    "after_available_minor",
    "after_frozen_minor",
    "moved_available_minor",
    "moved_frozen_minor",
    "awaited_available_minor",
    "awaited_frozen_minor",
    "movements",
]


def differences_sql(window_minutes: int) -> str:
    """Accounts whose balances do not follow. Views: shadow_balance, shadow_txn, shadow_judged(platform, as_of), shadow_ledger_txn
    (ours of these dates: what happened near midnight and the platform has not filed is awaited with its next file)."""
    summed = ", ".join(f"cast(sum({name}) as bigint) as {name}" for name in _FIGURES)
    return f"""
with claimed as (
  select party as platform, custody_date as as_of, txn_type, amount_minor, coalesce(coupon_minor, 0) as coupon_minor,
         concat(from_role, '.', from_user_no) as from_who, concat(to_role, '.', to_user_no) as to_who
  from shadow_txn where status = '{MOVES_MONEY}'
),
awaited as (
  select b.platform, b.value_date as as_of, b.txn_type, b.amount_minor, b.coupon_minor,
         {_named("b.from_account")} as from_who, {_named("b.to_account")} as to_who
  from shadow_ledger_txn b left anti join shadow_txn a
    on a.party = b.platform and a.request_no = b.request_no and a.leg = b.leg and a.custody_date = b.value_date
  where b.outcome = 'POSTED' and {in_window_sql(window_minutes, "b.event_time")}
),
told as (
  {_side("after", "b.custody_date")}
  union all
  {_side("before", "date_add(b.custody_date, 1)")}
  union all
  select platform, as_of, who, {_columns("moved")}, cast(null as string), cast(null as string) from ({_changes("claimed")})
  union all
  select platform, as_of, who, {_columns("awaited")}, cast(null as string), cast(null as string) from ({_changes("awaited")})
)
select platform, account, as_of, after_available_minor - before_available_minor - moved_available_minor as available_minor,
       after_frozen_minor - before_frozen_minor - moved_frozen_minor as frozen_minor, {", ".join(_FIGURES)}, before_ref, after_ref
from (
  select t.platform, t.who as account, t.as_of, {summed}, max(before_ref) as before_ref, max(after_ref) as after_ref
  from told t join shadow_judged j on j.platform = t.platform and j.as_of = t.as_of
  where t.who <> '{UNLISTED}'
  group by t.platform, t.who, t.as_of
)
where after_available_minor - before_available_minor <> moved_available_minor
   or after_frozen_minor - before_frozen_minor <> moved_frozen_minor
"""


def _side(name: str, as_of: str) -> str:
    """Rows of a BALANCE file as the end, or as the beginning, of a date."""
    values = {f"{name}_available_minor": "b.available_minor", f"{name}_frozen_minor": "b.frozen_minor"}
    refs = ", ".join(
        f"{'concat(b.file_name, chr(58), b.line_no)' if of == name else 'cast(null as string)'} as {of}_ref"
        for of in ("before", "after")
    )
    columns = ", ".join(f"cast({values.get(figure, '0')} as bigint) as {figure}" for figure in _FIGURES)
    return f"select b.party as platform, {as_of} as as_of, concat(b.role, '.', b.user_no) as who, {columns}, {refs} from shadow_balance b"


def _columns(name: str) -> str:
    """The changes under this name, every other figure 0."""
    own = {f"{name}_available_minor": "available_minor", f"{name}_frozen_minor": "frozen_minor"}
    own |= {"movements": "movements"} if name == "moved" else {}
    return ", ".join(f"cast({own.get(figure, '0')} as bigint) as {figure}" for figure in _FIGURES)


def _changes(source: str) -> str:
    """What the movements of a source do to each account: custody.shadow_ledger.EFFECTS as expressions."""
    owners = sorted({effect.whose for effects in EFFECTS.values() for effect in effects})
    parts = []
    for whose in owners:
        account = f"{whose}_who" if whose in (FROM, TO) else f"'PLATFORM.{whose}'"
        available, frozen = (_change(whose, part) for part in ("available", "frozen"))
        touched = ", ".join(
            f"'{txn_type}'" for txn_type, effects in sorted(EFFECTS.items()) if any(e.whose == whose for e in effects)
        )
        parts.append(
            f"select platform, as_of, {account} as who, {available} as available_minor, {frozen} as frozen_minor, "
            f"1 as movements from {source} where txn_type in ({touched}) and {account} is not null"
        )
    moved = "available_minor <> 0 or frozen_minor <> 0"
    return (
        f"select platform, as_of, who, available_minor, frozen_minor, movements from ({' union all '.join(parts)}) where {moved}"
    )


def _change(whose: str, part: str) -> str:
    branches = []
    for txn_type, effects in sorted(EFFECTS.items()):
        own = [effect for effect in effects if (effect.whose, effect.part) == (whose, part)]
        if own:
            branches.append(f"when '{txn_type}' then {' '.join(_term(effect) for effect in own)}")
    return f"case txn_type {' '.join(branches)} else 0 end" if branches else "0"


def _term(effect: Effect) -> str:
    names = [(effect.sign * (-1 if name.startswith("-") else 1), name.removeprefix("-")) for name in FIGURES[effect.figure]]
    return " ".join(f"{'+' if sign > 0 else '-'} {name}" for sign, name in names)


def _named(account: str) -> str:
    """Our account as a BALANCE file names it."""
    return f"if({account} like '%.%', substring({account}, length(b.platform) + 2), concat('PLATFORM.', substring({account}, length(b.platform) + 2)))"
