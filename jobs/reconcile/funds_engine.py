"""The tracing of custody.funds_paths for whole days on the engine: first in, first out as a join of intervals.

Count what enters a node and what leaves it, each from nothing. Then a move that enters holds an interval of what entered, one that
leaves an interval of what left, and first in first out says that these are the same money where the intervals overlap. So each hop is
one join for all nodes at once; no row waits for another. Only what loans' money touches comes to Arrow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from custody.funds_paths import CARD_DAYS, CARD_MARK, FROM_CARD, GOES_ON, LENDERS, MAX_HOPS, OF_ANOTHER, TO_CARD, WAY_OF, Way
from custody.names import Book, TxnType

LOTS = pa.schema(
    [(name, pa.string()) for name in ("platform", "loan_id", "node")]
    + [("hop", pa.int64()), ("since", pa.date32()), ("at_minor", pa.int64()), ("amount_minor", pa.int64())]
)
LEGS = pa.schema(
    [("platform", pa.string()), ("loan_id", pa.string()), ("hop", pa.int64()), ("source", pa.string()), ("entry_no", pa.int64())]
    + [(name, pa.string()) for name in ("way", "request_no", "target", "other_loan")]
    + [("amount_minor", pa.int64())]
)
_FRONTIER = pa.schema(
    [(name, pa.string()) for name in ("platform", "loan_id", "node")]
    + [("hop", pa.int64()), ("since", pa.date32())]
    + [(name, pa.int64()) for name in ("entry_no", "move_no", "off_minor", "amount_minor")]
)
_REQUEST = [name for name in LEGS.names if name not in ("entry_no", "amount_minor")]
# The coupon's way to the lender is part of the entry that lends, not of what is lent.
_LENDS = f"txn_type = '{TxnType.TENDER_SETTLE}' and loan_id is not null and source is not null and target is not null"
# Past every number of an entry, and past every amount.
_LAST, _WITHOUT_END = (1 << 63) - 1, 1 << 62
# What stays where it is, as a way.
_STAYS = ""


@dataclass(frozen=True)
class Traced:
    """The day's legs, and the lots at its end, in the order of their columns."""

    legs: pa.Table
    lots: pa.Table


def trace_day(spark: SparkSession, today: date, before: pa.Table) -> Traced:
    """Of the day's views ``funds_journal``, ``funds_balances`` and ``funds_sub_accounts``; ``before``: yesterday's lots."""
    _moves(spark)
    _openings(spark, before)
    forgotten = pc.and_(_on_card(before), pc.less(before["since"], pa.scalar(today - timedelta(days=CARD_DAYS), pa.date32())))
    legs, lots = [_spent(before.filter(forgotten))], before.filter(pc.invert(forgotten))
    lent = spark.sql(_LENT).toArrow()
    if lots.num_rows + lent.num_rows == 0:
        return Traced(_summed(legs), lots)
    legs.append(lent)
    _begin(spark, lots, today)
    lying = []
    # Each round takes the money one hop further, and no lot goes further than MAX_HOPS.
    while True:
        found = spark.sql(_HOP).toArrow()
        stays = pc.equal(found["way"], _STAYS)
        lying.append(found.filter(stays))
        legs.append(found.filter(pc.invert(stays)))
        going = found.filter(pc.is_valid(found["target"]))
        if going.num_rows == 0:
            return Traced(_summed(legs), _joined(lying))
        _go_on(spark, going, today)


def _moves(spark: SparkSession) -> None:
    spark.sql(
        f"""
        with cards as (select sub_account, concat(platform, '{CARD_MARK}', customer_id) as card from funds_sub_accounts),
        named as (
            select platform, entry_no, move_no, txn_type, request_no, loan_id, amount_minor,
                   if(instr(from_account, '.') > 0, substring_index(from_account, ':', 1), null) as payer,
                   if(instr(to_account, '.') > 0, substring_index(to_account, ':', 1), null) as payee
            from funds_journal where book = '{Book.CUSTODY}'
        ),
        placed as (
            select n.platform, n.entry_no, n.move_no, n.txn_type, n.request_no, n.loan_id, n.amount_minor,
                   if(n.txn_type in ({_listed(FROM_CARD)}) and n.payer is null, c.card, n.payer) as source,
                   if(n.txn_type in ({_listed(TO_CARD)}) and n.payee is null, c.card, n.payee) as target
            from named n
            left join cards c
              on c.sub_account = coalesce(n.payer, n.payee) and n.txn_type in ({_listed(FROM_CARD | TO_CARD)})
        )
        select * from placed where not (source <=> target)
        """
    ).createOrReplaceTempView("funds_moves")


def _openings(spark: SparkSession, before: pa.Table) -> None:
    """What each node held at the day's beginning: an account its balance, a card what its lots say."""
    ends = pa.table({"node": before["node"], "end_minor": pc.add(before["at_minor"], before["amount_minor"])})
    schema = pa.schema([("node", pa.string()), ("end_minor", pa.int64())])
    _view(spark, "funds_ends_of_lots", ends.cast(schema))
    spark.sql(
        """
        select node, max(minor) as opening_minor
        from (
            select substring_index(account, ':', 1) as node, cast(sum(opening_minor) as bigint) as minor
            from funds_balances where instr(account, '.') > 0 group by 1
            union all
            select node, end_minor as minor from funds_ends_of_lots
        ) as of_each group by node
        """
    ).createOrReplaceTempView("funds_openings")


def _begin(spark: SparkSession, lots: pa.Table, today: date) -> None:
    _view(spark, "funds_lots", lots.cast(LOTS))
    spark.sql(
        f"""
        select platform, loan_id, node, hop, since, cast(0 as bigint) as entry_no, cast(0 as bigint) as move_no,
               at_minor as off_minor, amount_minor
        from funds_lots
        union all
        select platform, loan_id, target as node, cast(1 as bigint) as hop, date '{today.isoformat()}' as since, entry_no, move_no,
               cast(0 as bigint) as off_minor, amount_minor
        from funds_moves where {_LENDS}
        """
    ).createOrReplaceTempView("funds_frontier")


def _go_on(spark: SparkSession, going: pa.Table, today: date) -> None:
    columns = {name: going[name] for name in ("platform", "loan_id")}
    columns |= {"node": going["target"], "hop": pc.add(going["hop"], 1)}
    columns["since"] = pa.array([today] * going.num_rows, pa.date32())
    columns |= {name: going[name] for name in ("entry_no", "move_no", "off_minor", "amount_minor")}
    _view(spark, "funds_frontier", pa.table(columns).select(_FRONTIER.names).cast(_FRONTIER))


def _view(spark: SparkSession, name: str, table: pa.Table) -> None:
    """An empty Arrow table does not say its columns to the engine."""
    names = {pa.string(): "string", pa.int64(): "bigint", pa.date32(): "date"}
    of_none = ", ".join(f"{field.name} {names[field.type]}" for field in table.schema)
    frame = spark.createDataFrame(table) if table.num_rows else spark.createDataFrame([], of_none)
    frame.createOrReplaceTempView(name)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def way_sql(txn_type: str, target: str, move_loan: str, loan: str) -> str:
    """custody.funds_paths.way_of as an expression."""
    on = [kind for kind, way in WAY_OF.items() if way in GOES_ON]
    repaying = [kind for kind, way in WAY_OF.items() if way is Way.REPAID_OTHER]
    branches = [
        f"when {txn_type} in ({_listed(on)}) and {target} is null then '{Way.ELSEWHERE}'",
        f"when {txn_type} in ({_listed(repaying)}) and {move_loan} <=> {loan} then '{Way.REPAID_OWN}'",
        *(f"when {txn_type} = '{kind}' then '{way}'" for kind, way in WAY_OF.items()),
    ]
    return f"case {' '.join(branches)} else '{Way.ELSEWHERE}' end"


_LENT = f"""
    select platform, loan_id, cast(0 as bigint) as hop, '{LENDERS}' as source, min(entry_no) as entry_no, '{Way.LENT}' as way,
           request_no, target, cast(null as string) as other_loan, cast(sum(amount_minor) as bigint) as amount_minor
    from funds_moves where {_LENDS}
    group by platform, loan_id, request_no, target
"""

_GOING = [kind for kind, way in WAY_OF.items() if way in GOES_ON]
_IN_TURN = "partition by node order by entry_no, move_no"
_SO_FAR = f"({_IN_TURN} rows between unbounded preceding and current row)"
_OF_LOT = "platform, loan_id, node, hop, since"
_OF_OUT = "node, of_entry, of_move, txn_type, request_no, loan_id, target"

# One hop. ``gone``: how much of what came to the node has left it; what leaves without having come is nobody's that we know.
_HOP = f"""
    with nodes as (select distinct node from funds_frontier),
    events as (
        select m.target as node, m.entry_no, m.move_no, m.amount_minor as comes, cast(0 as bigint) as goes,
               cast(null as string) as txn_type, cast(null as string) as request_no, cast(null as string) as loan_id,
               cast(null as string) as target
        from funds_moves m join nodes n on n.node = m.target
        union all
        select m.source as node, m.entry_no, m.move_no, cast(0 as bigint) as comes, m.amount_minor as goes,
               m.txn_type, m.request_no, m.loan_id, if(m.txn_type in ({_listed(_GOING)}), m.target, null) as target
        from funds_moves m join nodes n on n.node = m.source
        union all
        select node, {_LAST} as entry_no, cast(0 as bigint) as move_no, cast(0 as bigint) as comes, cast(0 as bigint) as goes,
               '{_STAYS}' as txn_type, cast(null as string) as request_no, cast(null as string) as loan_id,
               cast(null as string) as target
        from nodes
    ),
    counted as (
        select e.*, coalesce(o.opening_minor, 0) + sum(e.comes) over {_SO_FAR} as came, sum(e.goes) over {_SO_FAR} as went
        from events e left join (select node as opened, opening_minor from funds_openings) o on o.opened = e.node
    ),
    covered as (select *, went - greatest(0, max(went - came) over {_SO_FAR}) as gone from counted),
    placed as (select *, coalesce(lag(gone) over ({_IN_TURN}), 0) as gone_before from covered),
    lying as (
        select f.platform, f.loan_id, f.node, f.hop, f.since, f.amount_minor,
               if(f.entry_no = 0, f.off_minor, p.came - p.comes + f.off_minor) as begins
        from funds_frontier f
        left join (select node, entry_no, move_no, came, comes from placed where comes > 0) p
          on p.node = f.node and p.entry_no = f.entry_no and p.move_no = f.move_no
    ),
    cut as (
        select *, if(lag(begins + amount_minor) over (partition by {_OF_LOT} order by begins) <=> begins, 0, 1) as starts
        from lying
    ),
    counted_lots as (select *, sum(starts) over (partition by {_OF_LOT} order by begins) as lot from cut),
    lots as (
        select {_OF_LOT}, min(begins) as begins, max(begins + amount_minor) as ends from counted_lots group by {_OF_LOT}, lot
    ),
    leaving as (
        select node, entry_no, move_no, txn_type, request_no, loan_id, target, gone_before as begins,
               if(entry_no = {_LAST}, gone + {_WITHOUT_END}, gone) as ends,
               if(target is null, 0, entry_no) as of_entry, if(target is null, 0, move_no) as of_move
        from placed where (goes > 0 and gone > gone_before) or entry_no = {_LAST}
    ),
    cut_outs as (
        select *, if(lag(ends) over (partition by {_OF_OUT} order by begins) <=> begins, 0, 1) as starts from leaving
    ),
    counted_outs as (select *, sum(starts) over (partition by {_OF_OUT} order by begins) as out_no from cut_outs),
    outs as (
        select {_OF_OUT}, min(begins) as begins, max(ends) as ends, min(entry_no) as entry_no, min(move_no) as move_no
        from counted_outs group by {_OF_OUT}, out_no
    ),
    pieces as (
        select l.platform, l.loan_id, l.hop, l.since, l.node as source, o.entry_no, o.move_no, o.request_no, o.target, o.txn_type,
               o.loan_id as move_loan, greatest(l.begins, o.begins) - o.begins as off_minor,
               least(l.ends, o.ends) - greatest(l.begins, o.begins) as amount_minor,
               {way_sql("o.txn_type", "o.target", "o.loan_id", "l.loan_id")} as found
        from lots l join outs o on o.node = l.node and l.begins < o.ends and o.begins < l.ends
    ),
    told as (
        select *, case when txn_type = '{_STAYS}' then '{_STAYS}'
                       when target is not null and hop >= {MAX_HOPS} then '{Way.BEYOND}' else found end as way
        from pieces
    )
    select platform, loan_id, hop, source, entry_no, way, request_no, if(way in ({_listed(GOES_ON)}), target, null) as target,
           if(way in ({_listed(OF_ANOTHER)}), move_loan, null) as other_loan, amount_minor, move_no, off_minor, since
    from told
"""


def _on_card(lots: pa.Table) -> pa.ChunkedArray:
    return pc.match_substring(lots["node"], CARD_MARK)


def _spent(lots: pa.Table) -> pa.Table:
    nothing = pa.nulls(lots.num_rows, pa.string())
    return pa.table(
        {
            **{name: lots[name] for name in ("platform", "loan_id", "hop")},
            "source": lots["node"],
            "entry_no": pa.array([0] * lots.num_rows, pa.int64()),
            "way": pa.array([str(Way.SPENT)] * lots.num_rows, pa.string()),
            **dict.fromkeys(("request_no", "target", "other_loan"), nothing),
            "amount_minor": lots["amount_minor"],
        }
    )


def _summed(legs: list[pa.Table]) -> pa.Table:
    """One leg for what one request took of a loan's money at one hop."""
    all_legs = pa.concat_tables([table.select(LEGS.names).cast(LEGS) for table in legs])
    summed = all_legs.group_by(_REQUEST).aggregate([("entry_no", "min"), ("amount_minor", "sum")])
    return summed.rename_columns([*_REQUEST, "entry_no", "amount_minor"]).select(LEGS.names).cast(LEGS)


def _joined(lying: list[pa.Table]) -> pa.Table:
    """Lots of different rounds that lie side by side are one."""
    found = pa.concat_tables(lying)
    lots = found.rename_columns({"source": "node", "off_minor": "at_minor"}).select(LOTS.names).cast(LOTS)
    of_lot = ["platform", "loan_id", "node", "hop", "since"]
    lots = lots.sort_by([(name, "ascending") for name in (*of_lot, "at_minor")])
    if lots.num_rows < 2:
        return lots
    ends = pc.add(lots["at_minor"], lots["amount_minor"])
    same = pc.equal(ends[:-1], lots["at_minor"][1:])
    for name in of_lot:
        same = pc.and_(same, pc.equal(lots[name][:-1], lots[name][1:]))
    starts = pa.concat_arrays([pa.array([0], pa.int64()), pc.cast(pc.invert(same), pa.int64()).combine_chunks()])
    numbered = lots.append_column("lot", pc.cumulative_sum(starts))
    summed = numbered.group_by([*of_lot, "lot"]).aggregate([("at_minor", "min"), ("amount_minor", "sum")])
    return summed.rename_columns([*of_lot, "lot", "at_minor", "amount_minor"]).select(LOTS.names).cast(LOTS)
