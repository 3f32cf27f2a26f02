"""State relations: what the platform says stands at the end of a date against what stood with us on that same date.

Each comparison belongs to its as-of date and carries no rows to the next day; only its case lives on. Absence is judged
only where the platform's file for that date has landed whole. Tolerance is 0.00.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from connectors.lake import arrow_schema, table_of
from custody.ports import Row
from jobs.reconcile.totals import Place, Totals, totals_of, totals_sql
from schemas.tables import TABLES

# relation -> the file type on side A
STATE_RELATIONS = {"AB_BALANCE": "BALANCE", "AB_CLAIM": "CLAIM", "AB_LOAN": "LOAN", "AB_CUSTOMER": "CUSTOMER"}


@dataclass(frozen=True)
class StateMatches:
    """Of the side-A rows that landed today ``clean``: those that agree in everything; ``rows``: all other ones, as rows of the matches
    table. ``differences``: one for each subject, with what was posted later and belongs to the date (``later``)."""

    clean: dict[Place, Totals]
    rows: pa.Table
    differences: list[Row]


@dataclass(frozen=True)
class Asked:
    """``relations`` of which a file is to be compared; ``later``: whether something was posted since to a date that is compared;
    ``unjudged``: dates that lack instructions, so that nothing is judged for them."""

    relations: frozenset[str]
    later: bool
    unjudged: Sequence[date] = ()


def match_states(spark: SparkSession, today: date, asked: Asked) -> StateMatches:
    """Views (jobs.reconcile.state_views): told_whole and, of what is asked, land_balance, land_claim, land_loan, land_customer, the
    snapshots balances, claims, loans, holds, sub_accounts with their ``as_of``, later_moves, busy_loans, rejected_loans, wrong_delays. Customers and
    loans are registered when their file lands, be it late, so their terms are compared with ``today``'s snapshot."""
    schema = arrow_schema(TABLES["matches"])
    if not asked.relations:
        return StateMatches({}, schema.empty_table(), [])
    unjudged = ", ".join(f"date '{day.isoformat()}'" for day in asked.unjudged) or "date '0001-01-01'"
    # One query for both: of rows that agree the sums, of each other row all that is told of it.
    told = [f"if(is_clean, null, {name}) as {name}" for name in _APART]
    shown = [f"max(if(is_clean, null, {name})) as {name}" for name in _SHOWN_OF_EACH]
    found = spark.sql(
        f"""
        select relation, platform, is_clean, if(is_clean, substring_index(row_ref, ':', 1), null) as file_name, {", ".join(told)},
               {", ".join(shown)}, {totals_sql("i", "a")}
        from (
          select *, subject as match_key, coalesce(a_minor, 0) as amount_minor,
                 row_ref is not null and is_new and kind is null and not is_carried as is_clean
          from (select *, as_of in ({unjudged}) or is_open as is_carried from {_compared_sql(today, asked)})
          where is_new or kind is not null or as_of in ({unjudged}) or is_open
        ) i group by {", ".join(str(n) for n in range(1, 5 + len(_APART)))}
        """
    ).toArrow()
    clean = found.filter(found["is_clean"]).to_pylist()
    totals = {(r["relation"], "A", r["platform"], r["file_name"]): totals_of(r, "a") for r in clean}
    rows = [_told(r, asked.unjudged) for r in found.filter(pc.invert(found["is_clean"])).to_pylist()]
    judged = [r for r in rows if r["bucket"] == "BREAK"]
    # The engine's row order must decide nothing: the newest date speaks first, then the subject's own order.
    by_date = sorted(judged, key=lambda r: r["as_of"], reverse=True)
    ordered = sorted(by_date, key=lambda r: (r["relation"], r["platform"], r["subject"]))
    landed = [r for r in rows if r["row_ref"] is not None and r["is_new"]]
    return StateMatches(totals, table_of(TABLES["matches"], landed), ordered)


_APART = ("row_ref", "as_of", "subject", "is_new", "is_carried")
_SHOWN_OF_EACH = ("kind", "a_minor", "b_minor", "a_text", "b_text", "later")


def _told(row: Row, unjudged: Sequence[date]) -> Row:
    """As a row of the matches table, and more."""
    why = "late_file" if row["as_of"] in unjudged else "later_postings"
    bucket, rule = ("CARRIED", why) if row["is_carried"] else ("BREAK", row["kind"])
    minor = row["a_minor"] or 0
    same = {"side": "A", "match_key": row["subject"], "item_date": row["as_of"], "group_id": None}
    return row | same | {"bucket": bucket, "rule": rule, "amount_minor": minor}


# Between what is told of a loan: no layout lets it into a text.
FIELD_END = "\x1f"
_LOAN_FIELDS = (
    "amount_minor",
    "currency",
    "annual_rate",
    "method",
    "periods",
    "every",
    "day_count",
    "minimum_minor",
    "penalty_rate",
    "purpose",
    "disbursed_on",
)


def _told_of_loan(side: str, borrower: str, guarantor: str, payee: str, raised: str, state: str, **more: str) -> str:
    """All that is told of a loan, field by field; what it need not have only where it has it."""
    named = {name: f"{side}.{name}" for name in _LOAN_FIELDS}
    named |= {"borrower": borrower, "guarantor": guarantor, "payee": payee, "raised_minor": raised, "state": state, **more}
    fields = (f"concat('{name}=', cast({column} as string))" for name, column in named.items())
    return f"if({side}.loan_id is null, null, concat_ws('{FIELD_END}', {', '.join(fields)}))"


_A_LOAN = _told_of_loan(
    "a",
    "concat(a.party, '.BORROWER.', a.borrower_user_no)",
    "concat(a.party, '.GUARANTOR.', a.guarantor_user_no)",
    "concat(a.party, '.PAYEE.', a.payee_user_no)",
    "a.raised_minor",
    "a.state",
)
# At the end of the date: what was disbursed since was bid for then.
_IS_LENT = "coalesce(b.disbursed_on <= a.custody_date, false)"
_IS_AS_SAID = (
    f"case a.stage when 'before' then not {_IS_LENT} when 'after' then b.state = 'SETTLED' "
    f"else {_IS_LENT} and coalesce(s.state <> 'SETTLED', true) end"
)
_B_LOAN = _told_of_loan(
    "b",
    "b.borrower",
    "b.guarantor",
    "b.payee",
    f"if({_IS_LENT}, b.funded_minor, coalesce(h.bid_minor, 0))",
    # What our books do not tell apart, as DISBURSED and REPAYING, is told as the file does.
    f"coalesce(w.ours, if({_IS_AS_SAID}, a.state, coalesce(s.state, b.state)))",
    overdue_since="w.overdue_since",
)


# The custody date (UTC+8) of a moment.
_DATE_OF = "date_add(date '1970-01-01', cast((unix_micros({0}) + 28800000000) div 86400000000 as int))"
# An account of ours as a BALANCE file names it.
_WHO = (
    "if({0}.account like '%.%', substring(substring_index({0}.account, ':', 1), length({0}.platform) + 2), "
    "concat('PLATFORM.', substring_index(substring_index({0}.account, ':', 2), ':', -1)))"
)
_SHOWN = r"({0}.account like '%.%' or {0}.account like '%:P\\_%')"

_COLUMNS = "relation, platform, as_of, subject, row_ref, is_new, is_open, a_minor, b_minor, a_text, b_text, later, kind"


def _compared_sql(today: date, asked: Asked) -> str:
    """A row for each subject on either side; ``kind`` is null where the two agree."""
    parts = (_LATER if asked.later else _NOTHING_LATER) | _PARTS
    of_date = {
        "today": today.isoformat(),
        "later_dates": _LATER_DATES if asked.later else "",
        "nothing_later": "m.platform is null" if asked.later else "true",
    }
    wanted = [relation for relation in _RELATIONS if relation in asked.relations]
    names = dict.fromkeys(name for relation in wanted for name in _NEEDS[relation] if name in parts)
    with_ = ",\n".join(f"{name} as (\n{parts[name].format(**of_date)}\n)" for name in names)
    rows = "\nunion all\n".join(_RELATIONS[relation].format(**of_date) for relation in wanted)
    return f"({f'with {with_}' if names else ''}{rows}) as compared({_COLUMNS})"


# What each relation's query stands on, in order; not all of it is there when nothing is later.
_NEEDS = {
    "AB_BALANCE": ("a_balance", "late_ref", "b_balance", "told_balance"),
    "AB_CLAIM": ("late_loan", "open_loan", "b_claim", "a_claim", "told_claim"),
    "AB_LOAN": ("bids", "a_loan", "running_loan"),
    "AB_CUSTOMER": (),
}
_PART = "if({0}.account like '%:frozen', 'frozen', 'available')"
_SUMMED = """
  select platform, as_of, who, cast(sum(if(part = 'frozen', 0, minor)) as bigint) as available_minor,
         cast(sum(if(part = 'frozen', minor, 0)) as bigint) as frozen_minor{later}
  from ({moves}) group by platform, as_of, who"""
_STANDING = f"""
    select b.platform, b.as_of, {_WHO.format("b")} as who, {_PART.format("b")} as part, b.closing_minor as minor
    from balances b where b.book = 'CUSTODY' and {_SHOWN.format("b")}"""
_MOVED = f"""
    select l.platform, l.as_of, {_WHO.format("l")} as who, {_PART.format("l")} as part, l.amount_minor as minor
    from later_moves l where {_SHOWN.format("l")}"""
_LATER_DATES = (
    "left join (select distinct platform, as_of from later_moves) m on m.platform = a.party and m.as_of = a.custody_date"
)
_NOTHING_LATER = {
    "b_balance": _SUMMED.format(moves=_STANDING, later=", cast(null as string) as later"),
    "b_claim": """
  select platform, as_of, claim_id, loan_id, holder, principal_minor from claims where principal_minor > 0""",
    "a_claim": """
  select *, false as is_open from land_claim""",
}
_LATER = {
    "late_ref": f"""
  select l.platform, l.as_of, {_WHO.format("l")} as who, array_join(sort_array(collect_set(concat(l.ref, '=', l.amount_minor))), ' ') as later
  from later_moves l where {_SHOWN.format("l")} group by 1, 2, 3""",
    "b_balance": f"""
  select s.*, r.later from ({_SUMMED.format(moves=_STANDING + " union all " + _MOVED, later="")}) s
  left join late_ref r on r.platform = s.platform and r.as_of = s.as_of and r.who = s.who""",
    "late_loan": """
  select distinct platform, as_of, loan_id from later_moves where loan_id is not null""",
    "open_loan": """
  select l.* from late_loan l join busy_loans u on u.platform = l.platform and u.as_of = l.as_of and u.loan_id = l.loan_id""",
    "b_claim": """
  select c.platform, c.as_of, c.claim_id, c.loan_id, c.holder, c.principal_minor from claims c
  left anti join late_loan l on l.platform = c.platform and l.as_of = c.as_of and l.loan_id = c.loan_id
  where c.principal_minor > 0
  union all
  select c.platform, l.as_of, c.claim_id, c.loan_id, c.holder, c.principal_minor from claims c
  join late_loan l on l.platform = c.platform and l.loan_id = c.loan_id
  left anti join open_loan o on o.platform = l.platform and o.as_of = l.as_of and o.loan_id = l.loan_id
  where c.as_of = date '{today}' and c.principal_minor > 0""",
    "a_claim": """
  select a.*, o.loan_id is not null as is_open from land_claim a
  left join open_loan o on o.platform = a.party and o.as_of = a.custody_date and o.loan_id = a.loan_id""",
}
_PARTS = {
    "a_balance": """
  select party as platform, custody_date as as_of, concat(role, '.', user_no) as who, available_minor, frozen_minor, is_new,
         concat(file_name, ':', line_no) as row_ref
  from land_balance""",
    "told_balance": """
  select b.*, t.platform is not null as is_told from b_balance b
  left join told_whole t on t.relation = 'AB_BALANCE' and t.platform = b.platform and t.as_of = b.as_of""",
    "told_claim": """
  select b.*, t.platform is not null as is_told from b_claim b
  left join told_whole t on t.relation = 'AB_CLAIM' and t.platform = b.platform and t.as_of = b.as_of""",
    "bids": """
  select platform, as_of, loan_id, cast(sum(amount_minor) as bigint) as bid_minor from holds
  where kind = 'TENDER' and loan_id is not null group by platform, as_of, loan_id""",
    "a_loan": """
  select a.*, case when a.state in ('BIDDING', 'FULL', 'MISCARRIED') then 'before' when a.state = 'SETTLED' then 'after'
                   else 'running' end as stage
  from land_loan a""",
    "running_loan": """
  select s.platform, s.as_of, s.loan_id, s.amount_minor, s.state, s.funded_minor, s.disbursed_on, h.bid_minor from loans s
  join told_whole t on t.relation = 'AB_LOAN' and t.platform = s.platform and t.as_of = s.as_of
  left join bids h on h.platform = s.platform and h.as_of = s.as_of and h.loan_id = s.loan_id
  left anti join rejected_loans r on r.platform = s.platform and r.as_of = s.as_of and r.loan_id = s.loan_id
  where (s.disbursed_on is not null and s.state <> 'SETTLED') or (s.disbursed_on is null and h.loan_id is not null)""",
}
_RELATIONS = {
    "AB_BALANCE": """
select 'AB_BALANCE' as relation, coalesce(a.platform, b.platform), coalesce(a.as_of, b.as_of), concat('BALANCE|', coalesce(a.who, b.who)),
       a.row_ref, a.row_ref is not null and a.is_new, false as is_open,
       a.available_minor + a.frozen_minor as a_minor, b.available_minor + b.frozen_minor as b_minor,
       concat('available ', a.available_minor, ' frozen ', a.frozen_minor) as a_text,
       concat('available ', b.available_minor, ' frozen ', b.frozen_minor) as b_text, b.later,
       case when a.row_ref is null then 'MISSING_IN_PLATFORM'
            when b.who is null and a.available_minor = 0 and a.frozen_minor = 0 then null
            when b.who is null then 'MISSING_IN_LEDGER'
            when a.available_minor <> b.available_minor or a.frozen_minor <> b.frozen_minor then 'AMOUNT' end as kind
from a_balance a full outer join told_balance b on a.platform = b.platform and a.as_of = b.as_of and a.who = b.who
where a.row_ref is not null or (b.is_told and (b.available_minor <> 0 or b.frozen_minor <> 0))""",
    "AB_CLAIM": """
select 'AB_CLAIM', coalesce(a.party, b.platform), coalesce(a.custody_date, b.as_of), concat('CLAIM|', coalesce(a.claim_id, b.claim_id)),
       concat(a.file_name, ':', a.line_no), a.line_no is not null and a.is_new, a.line_no is not null and a.is_open,
       a.principal_minor, b.principal_minor,
       concat(a.loan_id, ' ', a.holder_role, '.', a.holder_user_no, ' ', a.principal_minor),
       concat(b.loan_id, ' ', substring_index(b.holder, '.', -2), ' ', b.principal_minor), cast(null as string),
       case when a.line_no is null or b.claim_id is null or a.loan_id <> b.loan_id
                 or concat(a.party, '.', a.holder_role, '.', a.holder_user_no) <> b.holder
                 or a.principal_minor <> b.principal_minor then 'CLAIM' end
from a_claim a full outer join told_claim b on a.party = b.platform and a.custody_date = b.as_of and a.claim_id = b.claim_id
where a.line_no is not null or b.is_told""",
    "AB_LOAN": f"""
select 'AB_LOAN', a.party, a.custody_date, concat('LOAN|', a.loan_id), concat(a.file_name, ':', a.line_no), a.is_new, false,
       a.amount_minor, b.amount_minor, {_A_LOAN}, {_B_LOAN}, cast(null as string),
       case when b.loan_id is null or a.amount_minor <> b.amount_minor or a.annual_rate <> b.annual_rate
                 or a.method <> b.method or a.periods <> b.periods or a.every <> b.every or a.day_count <> b.day_count
                 or a.currency <> b.currency or a.purpose <> b.purpose
                 or concat(a.party, '.BORROWER.', a.borrower_user_no) <> b.borrower
                 or not (a.minimum_minor <=> b.minimum_minor) or not (a.penalty_rate <=> b.penalty_rate)
                 or not (concat(a.party, '.GUARANTOR.', a.guarantor_user_no) <=> b.guarantor)
                 or not (concat(a.party, '.PAYEE.', a.payee_user_no) <=> b.payee)
            then 'LOAN_TERMS'
            when not {_IS_LENT}
            -- what failed may still show what it had raised, and what was posted late on a date tells not how much of it was bids
            then if(a.stage <> 'before' or a.disbursed_on is not null
                    or (a.state <> 'MISCARRIED' and {{nothing_later}} and (a.raised_minor <> coalesce(h.bid_minor, 0)
                        or (a.state = 'FULL' and a.raised_minor < coalesce(a.minimum_minor, a.amount_minor)))), 'LOAN_TERMS', null)
            when w.loan_id is not null or a.stage = 'before' or a.raised_minor <> b.funded_minor or not (a.disbursed_on <=> b.disbursed_on)
                 or (a.stage = 'after' and b.state <> 'SETTLED') or (a.stage = 'running' and s.state = 'SETTLED')
            then 'LOAN_TERMS' end
from a_loan a
left join loans b on a.party = b.platform and b.as_of = date '{{today}}' and a.loan_id = b.loan_id
left join loans s on a.party = s.platform and s.as_of = a.custody_date and a.loan_id = s.loan_id
left join bids h on a.party = h.platform and a.custody_date = h.as_of and a.loan_id = h.loan_id
left join wrong_delays w on a.party = w.platform and a.custody_date = w.as_of and a.loan_id = w.loan_id
{{later_dates}}
union all
select 'AB_LOAN', s.platform, s.as_of, concat('LOAN|', s.loan_id), cast(null as string), false, false, cast(null as bigint),
       s.amount_minor, cast(null as string), concat_ws('{FIELD_END}', concat('amount_minor=', s.amount_minor),
       concat('raised_minor=', if(s.disbursed_on is null, s.bid_minor, s.funded_minor)), concat('state=', s.state)), cast(null as string),
       'LOAN_TERMS'
from running_loan s left anti join land_loan a on a.party = s.platform and a.custody_date = s.as_of and a.loan_id = s.loan_id""",
    "AB_CUSTOMER": f"""
select 'AB_CUSTOMER', a.party, a.custody_date, concat('CUSTOMER|', a.role, '.', a.user_no, '|', a.action),
       concat(a.file_name, ':', a.line_no), a.is_new, false, cast(0 as bigint), cast(0 as bigint),
       concat_ws(' ', a.customer_id, a.kind, a.action, {_DATE_OF.format("a.event_time")}),
       concat_ws(' ', b.customer_id, b.kind, concat('opened ', b.opened_on), concat('closed ', b.closed_on)), cast(null as string),
       case when b.sub_account is null or a.customer_id <> b.customer_id or a.kind <> b.kind
                 or (a.action = 'OPEN' and b.opened_on <> {_DATE_OF.format("a.event_time")})
                 or (a.action = 'CLOSE' and not (b.closed_on <=> {_DATE_OF.format("a.event_time")}))
                 or (a.action <> 'CLOSE' and b.closed_on < a.custody_date) then 'CUSTOMER' end
from land_customer a left join sub_accounts b
  on b.sub_account = concat(a.party, '.', a.role, '.', a.user_no) and b.as_of = date '{{today}}'""",
}
