"""The rows that an invariant may find broken, picked by the engine: of a sound day none, however many accounts and claims there are.

For each rule over accounts or loans one query says which of them break it; the rules themselves (custody.invariants,
custody.life_invariants) then judge all rows of these. tests/jobs/test_invariants_on_engine.py holds the two together.

Views: inv_X and inv_X_before for the snapshots of today and yesterday, ledger_txn, and inv_told (today's LOAN rows).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from pyspark.sql import DataFrame, SparkSession

from custody.ageing import Ages, Versions, least_days
from custody.invariant_rows import AccountRows, DayRows, LoanRows, Rows
from custody.names import HoldKind, LoanState, TxnType
from custody.open_items import PAYABLE
from custody.posting_rules import ASSETS
from custody.upfront_fees import TAKING

SNAPSHOTS = ("balances", "holds", "claims", "loans", "sub_accounts", "unsettled", "receivables", "under_way")
BEFORE = ("balances", "holds", "claims", "loans")
LEG = [
    "platform",
    "request_no",
    "leg",
    "txn_type",
    "direction",
    "from_account",
    "to_account",
    "loan_id",
    "related_request_no",
    "amount_minor",
    "value_date",
]

# The account without its part: a sub-account, or a ledger account of the platform's.
_ROOT = "if({0} like '%.%', substring_index({0}, ':', 1), substring_index({0}, ':', 2))"
# What kind of ledger account it is: the name after the platform, without channel and part.
_NAME = "substring_index(substring_index(substring({0}, instr({0}, ':') + 1), '/', 1), ':', 1)"
_LEFT = f"{_NAME.format('account')} in ('{PAYABLE}', 'CORE_CASH')"


def snapshot_views(today: Mapping[str, DataFrame], yesterday: Mapping[str, DataFrame], told: DataFrame) -> None:
    """Register the views; before the first day there was nothing."""
    for table in SNAPSHOTS:
        today[table].createOrReplaceTempView(f"inv_{table}")
    for table in BEFORE:
        yesterday.get(table, today[table].where("1 = 0")).createOrReplaceTempView(f"inv_{table}_before")
    told.createOrReplaceTempView("inv_told")


def day_rows(spark: SparkSession, on: date, core: Rows, suspense: Rows, paths: Rows, ages: Ages) -> DayRows:
    """Of the day's end what an invariant has to look at."""
    spark.sql(_SUSPECTS.format(today=on.isoformat())).createOrReplaceTempView("suspects_found")
    found = spark.sql("select distinct what, platform, name from suspects_found").toArrow().to_pylist()
    keys = {what: [(r["platform"], r["name"]) for r in found if r["what"] == what] for what in ("account", "loan")}
    is_late = _is_late(ages)
    legs = _rows(spark, _LEGS.format(is_late=is_late))
    taken = [leg for leg in legs if leg["what"] == "taken"]
    settled = [leg for leg in legs if leg["what"] == "settled"]
    return DayRows(
        accounts=_accounts(spark, keys["account"]),
        loans=_loans(spark, keys["loan"], settled, is_late),
        own=_rows(spark, "select * from inv_balances where account not like '%.%'"),
        book_sums=_rows(spark, _BOOK_SUMS),
        core=core,
        items=_rows(spark, _ITEMS.format(today=on.isoformat())),
        suspense=suspense,
        left=_rows(spark, f"select * from inv_unsettled where {_LEFT}"),
        holds=_rows(spark, f"select * from inv_holds where {_may_be_old('kind', 'placed_on', ages.holds, on)}"),
        under_way=_rows(spark, f"select * from inv_under_way where {_may_be_old('status', 'since', ages.statuses, on)}"),
        taken=taken,
        lent=_lent(spark, taken),
        paths=paths,
    )


def _rows(spark: SparkSession, sql: str) -> Rows:
    """In an order of their own: the engine's must decide nothing."""
    return sorted(spark.sql(sql).toArrow().to_pylist(), key=str)


def _accounts(spark: SparkSession, keys: list[tuple[str, str]]) -> AccountRows:
    if not keys:
        return AccountRows([], [], [], [], [], [])
    _suspect_view(spark, keys)

    def of(view: str, account: str) -> Rows:
        root = account if account == "sub_account" else _ROOT.format(f"t.{account}")
        return _rows(spark, f"select t.* from {view} t left semi join suspect s on s.platform = t.platform and s.name = {root}")

    unsettled = [row for row in of("inv_unsettled", "account") if not _has_left(row["account"])]
    return AccountRows(
        balances=of("inv_balances", "account"),
        balances_before=of("inv_balances_before", "account"),
        holds=of("inv_holds", "account"),
        claims=of("inv_claims", "holder"),
        sub_accounts=of("inv_sub_accounts", "sub_account"),
        unsettled=unsettled,
    )


def _has_left(account: str) -> bool:
    return account.partition(":")[2].partition("/")[0] in (PAYABLE, "CORE_CASH")


def _loans(spark: SparkSession, keys: list[tuple[str, str]], settled: Rows, is_late: str) -> LoanRows:
    if keys:
        _suspect_view(spark, keys)

    def of(view: str, platform: str = "platform") -> Rows:
        if not keys:
            return []
        return _rows(
            spark, f"select t.* from {view} t left semi join suspect s on s.platform = t.{platform} and s.name = t.loan_id"
        )

    return LoanRows(
        loans=of("inv_loans"),
        loans_before=of("inv_loans_before"),
        claims=of("inv_claims"),
        claims_before=of("inv_claims_before"),
        holds=of("inv_holds"),
        told=of("inv_told", "party"),
        settled=settled,
        holds_before=_rows(spark, _HOLDS_OF_SETTLED.format(is_late=is_late)) if settled else [],
    )


def _lent(spark: SparkSession, taken: Rows) -> Rows:
    """The loans that were disbursed on the days of these legs, of whom they take."""
    if not taken:
        return []
    _suspect_view(spark, sorted({(leg["platform"], leg["from_account"]) for leg in taken}))
    return _rows(spark, "select t.* from inv_loans t left semi join suspect s on s.platform = t.platform and s.name = t.borrower")


def _suspect_view(spark: SparkSession, keys: Iterable[tuple[str, str]]) -> None:
    spark.createDataFrame(sorted(keys), "platform string, name string").createOrReplaceTempView("suspect")


def _may_be_old(kind: str, since: str, versions: Versions, on: date) -> str:
    """So many business days are at least as many calendar days."""
    return " or ".join(
        f"({kind} = '{name}' and {since} <= date_sub(date '{on.isoformat()}', {days}))"
        for name, days in least_days(versions).items()
    )


def _is_late(ages: Ages) -> str:
    """Whether a leg may settle a tender whose hold has stood too long."""
    return (
        "h.platform = t.platform and h.hold_id = t.related_request_no and h.kind = 'TENDER' "
        f"and t.value_date > date_add(h.placed_on, {least_days(ages.holds)[HoldKind.TENDER]})"
    )


_SETTLES = f"t.txn_type = '{TxnType.TENDER_SETTLE}' and t.outcome = 'POSTED'"
_LEG_COLUMNS = ", ".join(f"t.{name}" for name in LEG)
_LEGS = f"""
select 'settled' as what, {_LEG_COLUMNS} from ledger_txn t left semi join inv_holds_before h on {{is_late}} where {_SETTLES}
union all
select 'taken', {_LEG_COLUMNS} from ledger_txn t
left semi join inv_loans l on l.platform = t.platform and l.borrower = t.from_account and l.disbursed_on = t.value_date
where t.outcome = 'POSTED' and t.txn_type in ({", ".join(f"'{name}'" for name in sorted(TAKING))})
"""
_HOLDS_OF_SETTLED = f"select h.* from inv_holds_before h left semi join ledger_txn t on {{is_late}} and {_SETTLES}"

_BOOK_SUMS = """
select platform, book, cast(sum(closing_minor) as bigint) as closing_minor from inv_balances group by platform, book
"""
_ITEMS = """
select platform, account, max(settle_date) as settle_date, cast(sum(amount_minor) as bigint) as amount_minor
from inv_receivables group by platform, account, settle_date <= date '{today}'
"""

_SIGNED = f"if({_NAME.format('account')} in ({', '.join(repr(name) for name in sorted(ASSETS))}), -closing_minor, closing_minor)"
_SUSPECTS = f"""
with root_balance as (
  select platform, book, account, {_ROOT.format("account")} as root, opening_minor, in_minor, out_minor, closing_minor
  from inv_balances
),
lent as (select platform, loan_id, funded_minor - principal_repaid_minor as debt from inv_loans),
tendered as (
  select platform, loan_id, cast(sum(amount_minor) as bigint) as frozen_minor from inv_holds
  where kind = 'TENDER' and loan_id is not null group by platform, loan_id
),
failed as (select distinct party as platform, loan_id from inv_told where state = '{LoanState.MISCARRIED}')
select 'account' as what, coalesce(b.platform, y.platform) as platform,
       coalesce(b.root, {_ROOT.format("y.account")}) as name
from root_balance b full outer join inv_balances_before y on y.book = b.book and y.account = b.account
where (b.account is null and y.closing_minor <> 0)
   or b.opening_minor <> coalesce(y.closing_minor, 0) or b.opening_minor + b.in_minor - b.out_minor <> b.closing_minor
union all
select 'account', platform, root from root_balance where {_SIGNED} < 0
union all
select 'account', platform, account from (
  select platform, root as account, closing_minor as minor from root_balance where account like '%:frozen'
  union all
  select platform, account, -amount_minor from inv_holds
) group by platform, account having sum(minor) <> 0
union all
select 'account', s.platform, s.sub_account from inv_sub_accounts s join (
  select who, sum(minor) as minor from (
    select root as who, closing_minor as minor from root_balance union all select holder, principal_minor from inv_claims
  ) group by who
) l on l.who = s.sub_account
where s.closed_on is not null and l.minor <> 0
union all
select 'account', u.platform, {_ROOT.format("u.account")} from (
  select platform, account, hold_id, sum(amount_minor) as minor from inv_unsettled where not ({_LEFT})
  group by platform, account, hold_id
) u left join (
  select account, hold_id, amount_minor as minor from inv_holds
  union all
  select root, '', closing_minor from root_balance where book = 'CUSTODY' and account not like '%:frozen'
) h on h.account = u.account and h.hold_id = u.hold_id
where u.minor > coalesce(h.minor, 0)
union all
select 'loan', l.platform, l.loan_id from lent l left join (
  select platform, loan_id, sum(principal_minor) as minor from inv_claims group by platform, loan_id
) c on c.platform = l.platform and c.loan_id = l.loan_id
where l.debt <> coalesce(c.minor, 0)
union all
select 'loan', l.platform, l.loan_id from inv_loans l
left join tendered t on t.platform = l.platform and t.loan_id = l.loan_id
left join failed f on f.platform = l.platform and f.loan_id = l.loan_id
where l.funded_minor > l.amount_minor
   or (l.disbursed_on = date '{{today}}' and l.funded_minor < coalesce(l.minimum_minor, l.amount_minor))
   or (f.loan_id is not null and l.funded_minor <> 0)
   or (coalesce(t.frozen_minor, 0) <> 0 and (l.disbursed_on is not null or f.loan_id is not null))
union all
select 'loan', platform, loan_id from inv_claims where principal_minor < 0 or principal_minor > original_minor
union all
select 'loan', platform, loan_id from (
  select platform, loan_id, principal_minor as minor from inv_claims
  union all
  select platform, loan_id, -principal_minor from inv_claims_before
  union all
  select platform, loan_id, -debt from lent
  union all
  select platform, loan_id, funded_minor - principal_repaid_minor from inv_loans_before
) group by platform, loan_id having sum(minor) <> 0
"""
