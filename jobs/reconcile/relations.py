"""What stands on each side of each relation, as engine queries that all give the same columns (schemas.tables.ITEM_COLUMNS).

Views: land_txn, land_settlement, ledger_txn, journal, core_flow, fee_rates(channel, rate_millionths, min_fee_minor).
"""

from __future__ import annotations

from custody.adjustments import DECISION
from custody.names import TxnType
from custody.posting_rules import RULES
from custody.reversals import REVERSAL

# (step, table), each a view of the table's name.
FLOW_VIEWS = (
    ("land", "land_txn"),
    ("land", "land_settlement"),
    ("post", "ledger_txn"),
    ("post", "journal"),
    ("extract", "core_flow"),
)
# What the core shows of a platform's general accounts, as if it were a file of a date.
HUB = "CORE"
# The account that a role and user number name; the same as connectors.item_index.accounts_named.
_ACCOUNT = (
    "case when {p}_role is null or {p}_user_no is null then null when {p}_role = 'PLATFORM' then concat(party, ':', {p}_user_no) "
    "else concat(party, '.', {p}_role, '.', {p}_user_no) end"
)


def in_window_sql(window_minutes: int, event_time: str = "event_time") -> str:
    """Whether an event lies so near midnight (UTC+8) that the other side may have it on another date. (The engine would multiply
    in 32 bits: the product is made here.)"""
    of_day = f"(unix_micros({event_time}) + 28800000000) % 86400000000"
    return f"least({of_day}, 86400000000 - {of_day}) <= {window_minutes * 60_000_000}"


def claimed_sql() -> str:
    """Whether a leg touches an account whose movements a platform claims (custody.matching.CLAIMED_ACCOUNT); never null."""
    is_claimed = r"coalesce({0} like '%.%' or {0} like '%:P\\_%', false)"
    return f"({is_claimed.format('from_account')} or {is_claimed.format('to_account')})"


def side_queries(window_minutes: int, gateway: str, of: str = "") -> dict[tuple[str, str], str]:
    """For each relation's side a query for its new items of the day, with the columns of ITEM_COLUMNS in their order. ``of`` is what
    the views' names end in."""
    window = in_window_sql(window_minutes)
    return {
        ("AB_TXN", "A"): f"""
        select 'AB_TXN' as relation, 'A' as side, concat(file_name, ':', line_no) as row_ref,
               concat(party, '|', request_no, '|', leg) as match_key, party as platform, concat('TXN|', request_no, '|', leg) as subject,
               custody_date as item_date, event_time, cast(null as date) as expected_on, amount_minor, currency,
               {_ACCOUNT.format(p="from")} as from_account, {_ACCOUNT.format(p="to")} as to_account, loan_id, status,
               cast(null as bigint) as fee_minor, coalesce(principal_minor, 0) as principal_minor,
               coalesce(interest_minor, 0) as interest_minor, coalesce(penalty_minor, 0) as penalty_minor,
               coalesce(coupon_minor, 0) as coupon_minor,
               concat('{gateway}|INSTRUCTION|', cast(custody_date as string)) as counterpart_file, {window} as in_window,
               txn_type, cast(null as date) as settle_date
        from land_txn{of}
        """,
        ("AB_TXN", "B"): f"""
        select 'AB_TXN', 'B', concat(file_name, ':', line_no), concat(platform, '|', request_no, '|', leg), platform,
               concat('TXN|', request_no, '|', leg), value_date, event_time, cast(null as date), amount_minor, currency,
               from_account, to_account, loan_id, status, cast(null as bigint), principal_minor, interest_minor,
               penalty_minor, coupon_minor, concat(platform, '|TXN|', cast(value_date as string)), {window},
               txn_type, settle_date
        from ledger_txn{of}
        where outcome in ('POSTED', 'NO_POSTING')
          and {claimed_sql()}
          -- the bank's own remedies: no platform claims them
          and file_name not like '{DECISION}%' and file_name not like '{REVERSAL}%'
        """,
        ("BC_CHANNEL", "B"): f"""
        select 'BC_CHANNEL', 'B', concat(file_name, ':', line_no),
               concat(channel, '|', platform, '|', request_no, '|', {_settled_as()}), platform,
               concat('CHANNEL|', channel, '|', request_no), value_date, event_time, settle_date, amount_minor, currency,
               cast(null as string), cast(null as string), cast(null as string), status,
               {_expected_fee()}, cast(null as bigint), cast(null as bigint), cast(null as bigint), cast(null as bigint),
               concat(t.channel, '|SETTLEMENT|', cast(settle_date as string)), false, txn_type, settle_date
        from ledger_txn{of} t left join fee_rates r on r.fee_channel = t.channel
        where outcome = 'POSTED' and settle_date is not null
        """,
        ("BC_CHANNEL", "C"): f"""
        select 'BC_CHANNEL', 'C', concat(file_name, ':', line_no), concat(party, '|', platform, '|', request_no, '|', direction),
               platform, concat('CHANNEL|', party, '|', request_no), trade_date, cast(null as timestamp), cast(null as date),
               gross_minor, currency, cast(null as string), cast(null as string), cast(null as string), status, fee_minor,
               cast(null as bigint), cast(null as bigint), cast(null as bigint), cast(null as bigint),
               concat('{gateway}|INSTRUCTION|', cast(trade_date as string)), false,
               cast(null as string), settle_date
        from land_settlement{of}
        """,
        ("BC_CORE", "B"): f"""
        select 'BC_CORE', 'B', concat('journal:', entry_no, ':', move_no, ':', account), concat(account, '|', core_ref), platform,
               concat('CORE|', account, '|', core_ref), value_date, event_time, cast(null as date), amount_minor, currency,
               cast(null as string), cast(null as string), cast(null as string), cast(null as string), cast(null as bigint),
               cast(null as bigint), cast(null as bigint), cast(null as bigint), cast(null as bigint),
               concat(platform, '|{HUB}|', cast(value_date as string)), false, txn_type, cast(null as date)
        from (
          select entry_no, move_no, txn_type, platform, core_ref, value_date, event_time, currency,
                 concat(platform, if(from_account like '%:CORE_CASH' or to_account like '%:CORE_CASH', ':CUSTODY', ':OWN')) as account,
                 if(from_account like '%:CORE_CASH' or from_account like '%:OWN_CASH', amount_minor, -amount_minor) as amount_minor
          from journal{of}
          where core_ref is not null and (from_account like '%:CORE_CASH' or to_account like '%:CORE_CASH'
                or from_account like '%:OWN_CASH' or to_account like '%:OWN_CASH')
        )
        """,
        ("BC_CORE", "C"): f"""
        select 'BC_CORE', 'C', concat('core:', account, ':', cast(core_date as string), ':', seq, ':', cast(extracted_for as string)),
               concat(account, '|', nullif(trim(core_ref), '')), substring_index(account, ':', 1),
               concat('CORE|', account, '|', coalesce(nullif(trim(core_ref), ''), concat(cast(core_date as string), ':', seq))),
               core_date,
               booked_at, cast(null as date), amount_minor, currency, cast(null as string), cast(null as string),
               cast(null as string), cast(null as string), cast(null as bigint), cast(null as bigint), cast(null as bigint),
               cast(null as bigint), cast(null as bigint), concat('{gateway}|INSTRUCTION|', cast(core_date as string)), false,
               cast(null as string), cast(null as date)
        from core_flow{of}
        """,
    }


def silent_hub(platform: str) -> str:
    """What a case is about that says that the core shows nothing of the platform's general accounts."""
    return f"CORE_SILENT|{platform}"


def items_sql(window_minutes: int, gateway: str, of: str = "") -> str:
    """All new items of the day, both sides of every flow relation."""
    return " union all ".join(side_queries(window_minutes, gateway, of).values())


def view_of(relation: str, side: str) -> str:
    """The name of the view that holds a side's items, new and carried in."""
    return f"{relation}_{side}".lower()


def _settled_as() -> str:
    """The direction of the settlement row that a channel owes for a posted instruction: the posting rules'."""
    into = ", ".join(sorted({f"'{txn_type}'" for (txn_type, _), rule in RULES.items() if rule.settles == "IN"}))
    return f"if(txn_type in ({into}), 'IN', 'OUT')"


def _expected_fee() -> str:
    """The channel's contracted fee in whole minor units, half_even, by integer arithmetic only (facts.md: decimals differ
    between engines): rate in millionths of the gross, at least the contract's minimum; only what customers pay in bears one."""
    product, unit = "amount_minor * rate_millionths", "1000000"
    up = f"2 * ({product} % {unit}) > {unit} or (2 * ({product} % {unit}) = {unit} and ({product} div {unit}) % 2 = 1)"
    fee = f"greatest(({product} div {unit}) + if({up}, 1, 0), min_fee_minor)"
    return f"cast(if(txn_type = '{TxnType.RECHARGE}', {fee}, 0) as bigint)"
