"""BC_E_ACCOUNT: each posting on an account that is one at the core too, against the core's row of it (custody.core_model).

The key is platform, request number, leg and way: the account is compared, so that a row on another's account is WRONG_ACCOUNT and not two
rows that nobody knows. What a coupon adds to a tender is a movement of its own, of which the number ends in COUPON_HOLD.

A relation of its own beside BC_CORE: that one sums all moves and flows of one reference, here a row stands for a row; and a day on
which no platform has e-accounts asks nothing of it.

Views: journal, ledger_txn, e_account_flow, e_account_days(e_platform, first_date, last_date).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from custody.core_model import E_ACCOUNTS, REVERSING, Flag, Standing, Way
from custody.names import Book, TxnType
from custody.ports import Row
from custody.posting_rules import COUPON_HOLD
from custody.reversals import REVERSAL
from jobs.reconcile.relations import in_window_sql

RELATION = "BC_E_ACCOUNT"
E_VIEWS = (("extract", "e_account_flow"),)
# What our rows wait for where the core shows no e-account of the platform: platform|this|date.
SHOWN = "E_ACCOUNTS"
# The account without its part.
ROOT = "if({0} like '%.%', substring_index({0}, ':', 1), substring_index({0}, ':', 2))"

_REVERSING = ", ".join(f"'{txn_type}'" for txn_type in sorted(REVERSING))
_IS_COUPON = f"(txn_type = '{TxnType.TENDER_SETTLE}' and from_account like '%:P\\\\_%')"
# What a restated file of instructions takes back (custody.reversals) is no movement: the row that it had stands open again.
_NOT_REVERSALS = f"""
left anti join (select entry_no from ledger_txn{{of}} where file_name like '{REVERSAL}%' and entry_no is not null) r
  on r.entry_no = j.entry_no
"""
# Of a move the two ends that are accounts at the core, each with the number, leg and way that name its row there.
_ENDS = f"""
select j.platform, j.entry_no, j.move_no, j.leg, j.currency, j.value_date, j.event_time, j.amount_minor, j.way, j.account,
       concat(j.request_no, if(j.is_coupon, '{COUPON_HOLD}', '')) as number,
       if(j.is_coupon, '{TxnType.MARKETING}', j.txn_type) as txn_type
from (
  select *, {_IS_COUPON} as is_coupon, '{Way.OUT}' as way, {ROOT.format("from_account")} as account from journal{{of}}
  where book = '{Book.CUSTODY}' and {ROOT.format("from_account")} <> {ROOT.format("to_account")}
  union all
  select *, {_IS_COUPON}, '{Way.IN}', {ROOT.format("to_account")} from journal{{of}}
  where book = '{Book.CUSTODY}' and {ROOT.format("from_account")} <> {ROOT.format("to_account")}
) j
join e_account_days d on d.e_platform = j.platform and j.value_date between d.first_date and d.last_date
{_NOT_REVERSALS}
where j.account rlike '{E_ACCOUNTS}'
"""


def e_account_queries(window_minutes: int, gateway: str, of: str = "") -> dict[tuple[str, str], str]:
    """As jobs.reconcile.relations.side_queries, for this relation."""
    nothing = "cast(null as bigint), cast(null as bigint), cast(null as bigint), cast(null as bigint), cast(null as bigint)"
    return {
        (RELATION, "B"): f"""
        select '{RELATION}' as relation, 'B' as side, concat('journal:', entry_no, ':', min(move_no), ':', account) as row_ref,
               concat(platform, '|', number, '|', leg, '|', way) as match_key, platform,
               concat('EFLOW|', way, '|', number, '|', leg) as subject, value_date as item_date, event_time,
               cast(null as date) as expected_on, cast(sum(amount_minor) as bigint) as amount_minor, currency,
               if(way = '{Way.OUT}', account, null) as from_account, if(way = '{Way.IN}', account, null) as to_account,
               cast(null as string) as loan_id, if(txn_type in ({_REVERSING}), '{Standing.REVERSED}', '{Standing.NORMAL}') as status,
               {nothing}, concat(platform, '|{SHOWN}|', cast(value_date as string)) as counterpart_file,
               {in_window_sql(window_minutes)} as in_window, txn_type, cast(null as date) as settle_date
        from ({_ENDS.format(of=of)})
        group by platform, entry_no, number, leg, way, account, currency, txn_type, value_date, event_time
        """,
        (RELATION, "C"): f"""
        select '{RELATION}', 'C', concat('core:', account, ':', cast(core_date as string), ':', seq, ':', cast(extracted_for as string)),
               concat(platform, '|', nullif(trim(request_no), ''), '|', leg, '|', way), platform,
               coalesce(concat('EFLOW|', way, '|', nullif(trim(request_no), ''), '|', leg),
                        concat('EFLOW|', account, '|', cast(core_date as string), ':', seq)),
               core_date, booked_at, cast(null as date), amount_minor, currency,
               if(flag = '{Flag.LEAVES}', account, null), if(flag = '{Flag.LEAVES}', null, account), cast(null as string), standing,
               {nothing}, concat('{gateway}|INSTRUCTION|', cast(core_date as string)), {in_window_sql(window_minutes, "booked_at")},
               txn_type, cast(null as date)
        from e_account_flow{of}
        """,
    }


def count_ends(spark: SparkSession) -> list[Row]:
    """For the completeness proof, counted from the journal by itself: rows and the high and low halves of their sum."""
    found: list[Row] = spark.sql(_COUNTED.format(of="")).toArrow().to_pylist()
    return found


_IS_END = "{0} rlike '" + E_ACCOUNTS + "'"
# A tender's coupon goes through the lender's account: what he lends is one row of his, whatever it is made of, and so is what comes.
_COUNTED = f"""
select count(distinct if(pays, concat(entry_no, ' ', kind, payer), null)) + count(distinct if(gets, concat(entry_no, ' ', kind, payee), null))
         as rows,
       sum(shiftright(amount_minor, 32) * (if(pays, 1, 0) + if(gets, 1, 0))) as high,
       sum((amount_minor & 4294967295) * (if(pays, 1, 0) + if(gets, 1, 0))) as low
from (
  select entry_no, amount_minor, {_IS_COUPON} as kind, {ROOT.format("from_account")} as payer, {ROOT.format("to_account")} as payee,
         {_IS_END.format("from_account")} as pays, {_IS_END.format("to_account")} as gets
  from journal j join e_account_days d on d.e_platform = j.platform
  {_NOT_REVERSALS}
  where j.book = '{Book.CUSTODY}' and j.value_date >= d.first_date and j.value_date <= d.last_date
) where payer <> payee
"""


def keys_by_way(keys: frozenset[str]) -> frozenset[str]:
    """Of keys platform|request|leg those of the rows that such a leg has at the core."""
    return frozenset(f"{key}|{way}" for key in keys for way in Way)


def silent_core(platform: str) -> str:
    """What a case is about that says that the core shows no e-account of the platform, or shows them against the contract."""
    return f"E_ACCOUNTS|{platform}"


def shown_on(balances: pa.Table) -> frozenset[str]:
    """The platforms of which the core shows e-accounts, from a date's e_account_balance."""
    return frozenset(pc.unique(balances["platform"]).to_pylist())
