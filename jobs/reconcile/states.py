"""State relations: what the platform says stands at the end of a date against our snapshot of that same date.

Each comparison belongs to its as-of date and carries no rows to the next day; only its case lives on. Absence is judged
only where the platform's file for that date has landed. Tolerance is 0.00.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from pyspark.sql import SparkSession

from custody.ports import Row

# relation -> the file type on side A
STATE_RELATIONS = {"AB_BALANCE": "BALANCE", "AB_CLAIM": "CLAIM", "AB_LOAN": "LOAN", "AB_CUSTOMER": "CUSTOMER"}


@dataclass(frozen=True)
class StateMatches:
    """``rows``: every side-A row with its bucket, as rows of the matches table. ``differences``: one for each subject."""

    rows: pa.Table
    differences: list[Row]


def match_states(spark: SparkSession, today: date, unjudged_dates: Sequence[date]) -> StateMatches:
    """Views: land_balance, land_claim, land_loan, land_customer, and the snapshots balances, claims, loans,
    sub_accounts with their ``as_of``. Customers and loans are registered when their file lands, be it late, so they are
    compared with ``today``'s snapshot. Dates in ``unjudged_dates`` lack instructions, so nothing is judged for them."""
    terms = {"a_terms": _terms("a", "_user_no"), "b_terms": _terms("b", "")}
    spark.sql(_COMPARED.format(today=today.isoformat(), **terms)).createOrReplaceTempView("compared")
    unjudged = ", ".join(f"date '{day.isoformat()}'" for day in unjudged_dates) or "date '0001-01-01'"
    rows = spark.sql(
        f"""
        select relation, 'A' as side, row_ref, as_of as item_date, platform, subject,
               case when as_of in ({unjudged}) then 'CARRIED' when kind is null then 'MATCHED' else 'BREAK' end as bucket,
               case when as_of in ({unjudged}) then 'late_file' when kind is null then 'exact' else kind end as rule,
               subject as match_key, coalesce(a_minor, 0) as amount_minor
        from compared where row_ref is not null
        """
    ).toArrow()
    differences = spark.sql(
        f"""
        select relation, platform, subject, kind, as_of, row_ref, a_minor, b_minor, a_text, b_text
        from compared where kind is not null and as_of not in ({unjudged})
        """
    ).toArrow()
    # The engine's row order must decide nothing: the newest date speaks first, then the subject's own order.
    by_date = sorted(differences.to_pylist(), key=lambda r: r["as_of"], reverse=True)
    ordered = sorted(by_date, key=lambda r: (r["relation"], r["platform"], r["subject"]))
    return StateMatches(rows, ordered)


def _terms(side: str, party: str) -> str:
    """A loan's terms as people read them: what it need not have, only where it has it."""
    terms = [f"{side}.{name}" for name in ("annual_rate", "method", "periods", "every", "day_count")]
    others = (("minimum_minor", "minimum"), ("penalty_rate", "penalty"), (f"guarantor{party}", "by"), (f"payee{party}", "to"))
    terms += [f"concat('{word} ', {side}.{name})" for name, word in others]
    return f"concat_ws(' ', {', '.join(terms)})"


_COMPARED = """
with a_balance as (
  select party as platform, custody_date as as_of, concat(role, '.', user_no) as who, available_minor, frozen_minor,
         concat(file_name, ':', line_no) as row_ref
  from land_balance
),
b_balance as (
  select b.platform, b.as_of,
         if(b.account like '%.%', substring(substring_index(b.account, ':', 1), length(b.platform) + 2),
            concat('PLATFORM.', substring_index(substring_index(b.account, ':', 2), ':', -1))) as who,
         cast(sum(if(b.account like '%:frozen', 0, b.closing_minor)) as bigint) as available_minor,
         cast(sum(if(b.account like '%:frozen', b.closing_minor, 0)) as bigint) as frozen_minor
  from balances b
  join (select distinct party, custody_date from land_balance) f on f.party = b.platform and f.custody_date = b.as_of
  where b.book = 'CUSTODY' and (b.account like '%.%' or b.account like '%:P\\\\_%')
  group by 1, 2, 3
),
b_claim as (
  select c.* from claims c
  join (select distinct party, custody_date from land_claim) f on f.party = c.platform and f.custody_date = c.as_of
  where c.principal_minor > 0
)
select 'AB_BALANCE' as relation, coalesce(a.platform, b.platform) as platform, coalesce(a.as_of, b.as_of) as as_of,
       concat('BALANCE|', coalesce(a.who, b.who)) as subject, a.row_ref,
       a.available_minor + a.frozen_minor as a_minor, b.available_minor + b.frozen_minor as b_minor,
       concat('available ', a.available_minor, ' frozen ', a.frozen_minor) as a_text,
       concat('available ', b.available_minor, ' frozen ', b.frozen_minor) as b_text,
       case when a.who is null and b.available_minor = 0 and b.frozen_minor = 0 then null
            when a.who is null then 'MISSING_IN_PLATFORM'
            when b.who is null and a.available_minor = 0 and a.frozen_minor = 0 then null
            when b.who is null then 'MISSING_IN_LEDGER'
            when a.available_minor <> b.available_minor or a.frozen_minor <> b.frozen_minor then 'AMOUNT' end as kind
from a_balance a full outer join b_balance b on a.platform = b.platform and a.as_of = b.as_of and a.who = b.who
union all
select 'AB_CLAIM', coalesce(a.party, b.platform), coalesce(a.custody_date, b.as_of),
       concat('CLAIM|', coalesce(a.claim_id, b.claim_id)), concat(a.file_name, ':', a.line_no),
       a.principal_minor, b.principal_minor,
       concat(a.loan_id, ' ', a.holder_role, '.', a.holder_user_no, ' ', a.principal_minor),
       concat(b.loan_id, ' ', substring_index(b.holder, '.', -2), ' ', b.principal_minor),
       case when a.claim_id is null or b.claim_id is null or a.loan_id <> b.loan_id
                 or concat(a.party, '.', a.holder_role, '.', a.holder_user_no) <> b.holder
                 or a.principal_minor <> b.principal_minor
            then 'CLAIM' end
from land_claim a full outer join b_claim b
  on a.party = b.platform and a.custody_date = b.as_of and a.claim_id = b.claim_id
union all
select 'AB_LOAN', a.party, a.custody_date, concat('LOAN|', a.loan_id), concat(a.file_name, ':', a.line_no),
       a.amount_minor, b.amount_minor,
       concat({a_terms}, ' raised ', a.raised_minor), concat({b_terms}, ' raised ', b.funded_minor),
       case when b.loan_id is null or a.amount_minor <> b.amount_minor or a.annual_rate <> b.annual_rate
                 or a.method <> b.method or a.periods <> b.periods or a.every <> b.every or a.day_count <> b.day_count
                 or concat(a.party, '.BORROWER.', a.borrower_user_no) <> b.borrower
                 or not (a.minimum_minor <=> b.minimum_minor) or not (a.penalty_rate <=> b.penalty_rate)
                 or not (concat(a.party, '.GUARANTOR.', a.guarantor_user_no) <=> b.guarantor)
                 or not (concat(a.party, '.PAYEE.', a.payee_user_no) <=> b.payee)
                 or (a.custody_date = b.as_of and b.disbursed_on is not null and a.raised_minor <> b.funded_minor)
            then 'LOAN_TERMS' end
from land_loan a left join loans b on a.party = b.platform and b.as_of = date '{today}' and a.loan_id = b.loan_id
union all
select 'AB_CUSTOMER', a.party, a.custody_date, concat('CUSTOMER|', a.role, '.', a.user_no, '|', a.action),
       concat(a.file_name, ':', a.line_no), cast(0 as bigint), cast(0 as bigint), a.customer_id, b.customer_id,
       case when b.sub_account is null or a.customer_id <> b.customer_id or a.kind <> b.kind
                 or (a.action <> 'CLOSE' and b.closed_on < a.custody_date) then 'CUSTOMER' end
from land_customer a left join sub_accounts b
  on b.sub_account = concat(a.party, '.', a.role, '.', a.user_no) and b.as_of = date '{today}'
"""
