"""Platforms' own accounts and the custody accounts, by columns: sums of the posted day by platform, laid out over the days ahead
(custody/platform_funds.py says what stands against what)."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from custody.calendar import ONE_DAY
from custody.fees import FeeState, period_name
from custody.names import PLATFORM_ACCOUNTS, UNDER_WAY, Book, BreakKind, HoldKind, PartyKind, TxnType
from custody.open_items import FEES, PAYABLE, RECEIVABLE
from custody.platform_funds import NEEDS, Concern, FundsDay, Item, PeriodDue, alerts_of, periods_due
from custody.ports import Row
from custody.posting_rules import SUSPENSE
from custody.risk_alerts import Alert
from custody.services.fee_charges import due_day
from jobs.reference import Reference
from jobs.risk.balances import Standing, fees_of, parts
from jobs.risk.compensation import before
from jobs.risk.loans import Ints
from jobs.step import StepContext

# A receivable is disputed while the channel's rows do not bear it out.
_DISPUTES = (
    BreakKind.MISSING_IN_CHANNEL,
    BreakKind.AMOUNT,
    BreakKind.STATUS,
    BreakKind.DIRECTION,
    BreakKind.CURRENCY,
    BreakKind.DUPLICATE,
)


@dataclass
class _Sum:
    minor: int = 0
    rows: int = 0


_PERIOD = ("period", "ends_on", "due_on", "gross_minor", "left_minor")
_Key = tuple[str, Concern, str, Item, date]


class _Items:
    """Sums by platform, question, account, item and the day from which they count."""

    def __init__(self, as_of: date) -> None:
        self._as_of = as_of
        self.sums: dict[_Key, _Sum] = defaultdict(_Sum)

    def add(
        self, platform: str, concern: Concern, account: str, item: Item, minor: int, due: date | None = None, rows: int = 1
    ) -> None:
        """What was due before counts from the date itself, as does what has no day."""
        if minor:
            one = self.sums[platform, concern, f"{platform}:{account}", item, max(due or self._as_of, self._as_of)]
            one.minor += minor
            one.rows += rows


@dataclass(frozen=True)
class PlatformFunds:
    """Tables platform_funds, platform_funds_items and fees_due of the date, and the alerts."""

    days: pa.Table
    items: list[Row]
    fees_due: list[Row]
    alerts: list[Alert]


def platform_funds(
    context: StepContext, reference: Reference, standing: Standing, queues: Queues, business_days: int
) -> PlatformFunds:
    """How each platform stands at the end of the date and on so many bank business days ahead."""
    as_of = context.custody_date
    ahead = [as_of]
    for _ in range(business_days):
        ahead.append(reference.calendar.next_business_day(ahead[-1]))
    day = _Day.of(context, reference, standing, queues, ahead[1])
    items = _Items(as_of)
    for platform in reference.of_kind(PartyKind.PLATFORM):
        one = _Platform(day, items, platform)
        one.own_funds()
        one.cover()
        one.payout()
        one.advance()
        one.own_accounts()
    laid = _Laid.out(items.sums, standing.currency, ahead)
    return PlatformFunds(
        laid.table(),
        [_item_row(key, one, standing.currency) for key, one in items.sums.items()],
        [
            {"platform": platform, "state": str(one.item(as_of))} | {name: getattr(one, name) for name in _PERIOD}
            for platform, periods in day.fees.items()
            for one in periods
        ],
        alerts_of(laid.of_short_lines(), as_of, ahead[1]),
    )


@dataclass(frozen=True)
class Queues:
    """Sums of what is on its way, which need nothing but the posted day: so they can be made beside other work."""

    owed: tuple[dict[str, int], _Due, _Due]
    payable: _Due
    flying: _InFlight
    lots: _Lots

    @classmethod
    def of(cls, context: StepContext, reference: Reference) -> Queues:
        return cls(_receivables(context, reference), _payables(context), _in_flight(context), _lots(context))


@dataclass(frozen=True)
class _Day:
    """What all platforms' sums are made of. ``past``: what channels should have settled by now, below zero where they settled more;
    ``coming``: what they are to settle and nobody disputes; ``keeping``: the fees that they are to keep of that."""

    as_of: date
    next_day: date
    standing: Standing
    own: Mapping[tuple[str, str], int]
    fees: Mapping[str, list[PeriodDue]]
    lacking: Mapping[str, int]
    past: Mapping[str, int]
    coming: _Due
    keeping: _Due
    payable: _Due
    flying: _InFlight
    lots: _Lots

    @classmethod
    def of(cls, context: StepContext, reference: Reference, standing: Standing, queues: Queues, next_day: date) -> _Day:
        own = {(row["book"], row["account"]): row["closing_minor"] for row in standing.own}
        fees = _fees_due(context, reference, own)
        lacking = _lacking_at_core(context, own)
        of_queues = (*queues.owed, queues.payable, queues.flying, queues.lots)
        return cls(context.custody_date, next_day, standing, own, fees, lacking, *of_queues)


@dataclass(frozen=True)
class _Platform:
    """One platform's sums, question by question."""

    day: _Day
    items: _Items
    platform: str

    def own_funds(self) -> None:
        of = partial(self._add, Concern.OWN_FUNDS, "OWN_CASH")
        of(Item.OWN_CASH, -self._held("OWN_CASH", Book.OWN))
        of(Item.CHANNEL_FEE, -self._held(FEES))
        for one in self.day.fees[self.platform]:
            of(one.item(self.day.as_of), one.left_minor, one.due_on)
        for due, (minor, rows) in self.day.keeping[self.platform].items():
            of(Item.CHANNEL_FEE_TO_COME, minor, due, rows)

    def cover(self) -> None:
        of = partial(self._add, Concern.COVER, "CORE_CASH")
        of(Item.CASH, self._cash)
        of(Item.RECEIVABLE, min(0, self.day.past.get(self.platform, 0)))
        for minor, rows in self.day.coming[self.platform].values():
            of(Item.RECEIVABLE, minor, None, rows)
        of(Item.CUSTOMERS, self.day.standing.customers.get(self.platform, 0))
        of(Item.SUSPENSE, self._held(SUSPENSE))
        for account in PLATFORM_ACCOUNTS:
            of(Item.OWN_ACCOUNTS, self._held(account) + self._held(f"{account}:frozen"))
        for minor, rows in self.day.payable[self.platform].values():
            of(Item.PAYABLE, minor, None, rows)
        # What own funds have beyond the channels' fees that they owe already restores those to come.
        left = max(0, -self._held("OWN_CASH", Book.OWN) + self._held(FEES))
        for due, (minor, rows) in sorted(self.day.keeping[self.platform].items()):
            of(Item.FEES_NOT_RESTORED, max(0, minor - left), due, rows)
            left = max(0, left - minor)

    def payout(self) -> None:
        of = partial(self._add, Concern.PAYOUT, "CORE_CASH")
        of(Item.CASH, self._cash)
        for due, (minor, rows) in self.day.coming[self.platform].items():
            of(Item.RECEIVABLE, minor, due, rows)
        for due, (minor, rows) in self.day.payable[self.platform].items():
            of(Item.PAYABLE, minor, due, rows)
        # What is under way is paid on the next bank business day at the soonest.
        for status, (minor, rows) in self.day.flying.withdrawals[self.platform].items():
            of(Item(status), minor, self.day.next_day, rows)
        for minor, rows in self.day.flying.own[self.platform].values():
            of(Item.IN_FLIGHT, minor, self.day.next_day, rows)

    def advance(self) -> None:
        of = partial(self._add, Concern.ADVANCE, "P_ADVANCE")
        frozen, rows = self.day.flying.holds.get(self.platform, (0, 0))
        if not frozen:
            return
        # A lot that is due on the day itself counts as settled (custody.unsettled).
        unsettled = {due: minor for due, minor in self.day.lots.of_withdrawals[self.platform].items() if due > self.day.as_of}
        lent = self.day.lots.of_advance[self.platform]
        of(Item.IN_FLIGHT, frozen, None, rows)
        of(Item.SETTLED, frozen - sum(unsettled.values()), None, rows)
        of(Item.ADVANCE, self._held("P_ADVANCE") - sum(lent.values()))
        for due, minor in unsettled.items():
            of(Item.TO_SETTLE, minor, due)
        for due, minor in lent.items():
            of(Item.ADVANCE_RESTORED, minor if due > self.day.as_of else 0, due)

    def own_accounts(self) -> None:
        for account, (minor, rows) in self.day.flying.own[self.platform].items():
            self._add(Concern.OWN_ACCOUNT, account, Item.IN_FLIGHT, minor, None, rows)
            self._add(Concern.OWN_ACCOUNT, account, Item.BALANCE, self._held(account))

    @property
    def _cash(self) -> int:
        """What the core has, where it has less than our books say."""
        return -self._held("CORE_CASH") - self.day.lacking.get(self.platform, 0)

    def _held(self, account: str, book: Book = Book.CUSTODY) -> int:
        return self.day.own.get((book, f"{self.platform}:{account}"), 0)

    def _add(self, concern: Concern, account: str, item: Item, minor: int, due: date | None = None, rows: int = 1) -> None:
        self.items.add(self.platform, concern, account, item, minor, due, rows)


def _item_row(key: _Key, one: _Sum, currency: dict[str, str]) -> Row:
    platform, concern, account, item, due = key
    return {
        "platform": platform, "concern": str(concern), "account": account, "item": str(item), "is_need": item in NEEDS, "due_on": due,
        "currency": currency[platform], "amount_minor": one.minor, "rows": one.rows,
    }  # fmt: skip


@dataclass(frozen=True)
class _Laid:
    """Running sums over the days, a line for each platform, question and account of which anything is needed."""

    lines: Sequence[tuple[str, Concern, str]]
    currencies: Sequence[str]
    ahead: Sequence[date]
    have: Ints
    need: Ints

    @classmethod
    def out(cls, sums: Mapping[_Key, _Sum], currency: Mapping[str, str], ahead: Sequence[date]) -> _Laid:
        """A day that is none of those ahead counts from the next one on."""
        lines = sorted({(platform, concern, account) for platform, concern, account, _, _ in sums})
        at = {line: number for number, line in enumerate(lines)}
        of_day: dict[date, int] = {}
        limits = [day.toordinal() for day in ahead]
        have, need = (np.zeros((len(lines), len(ahead)), np.int64) for _ in range(2))
        for (platform, concern, account, item, due), one in sums.items():
            if due not in of_day:
                of_day[due] = bisect_left(limits, due.toordinal())
            if of_day[due] < len(ahead):
                (need if item in NEEDS else have)[at[platform, concern, account], of_day[due]] += one.minor
        have, need = have.cumsum(axis=1), need.cumsum(axis=1)
        kept = np.flatnonzero(need.any(axis=1))
        some = [lines[line] for line in kept]
        return cls(some, [currency[platform] for platform, _, _ in some], ahead, have[kept], need[kept])

    def table(self) -> pa.Table:
        """Table platform_funds."""
        days = len(self.ahead)
        told = list(zip(*self.lines, strict=True)) or [(), (), ()]
        texts = [*told, self.currencies]
        platform, concern, account, currency = (
            pa.array(column, pa.string()).take(np.repeat(np.arange(len(column)), days)) for column in texts
        )
        return pa.table(
            {
                "platform": platform, "concern": concern, "account": account, "currency": currency,
                "on_date": pa.array([*self.ahead] * len(self.lines), pa.date32()),
                "have_minor": self.have.ravel(), "need_minor": self.need.ravel(),
                "short_minor": np.maximum(self.need - self.have, 0).ravel(),
            }
        )  # fmt: skip

    def of_short_lines(self) -> Iterator[FundsDay]:
        """All days of what is short on some day."""
        for line in np.flatnonzero((self.need > self.have).any(axis=1)).tolist():
            days = zip(self.ahead, self.have[line].tolist(), self.need[line].tolist(), strict=True)
            for on, have, need in days:
                yield FundsDay(*self.lines[line], self.currencies[line], on, have, need)


def _fees_due(context: StepContext, reference: Reference, own: Mapping[tuple[str, str], int]) -> dict[str, list[PeriodDue]]:
    """By platform and charging period, from what the books say is due and what each period has accrued up to yesterday, which is what
    the books have by today."""
    yesterday = context.custody_date - ONE_DAY
    known: dict[str, list[PeriodDue]] = defaultdict(list)
    for row in before(context, "fees_due"):
        known[row["platform"]].append(PeriodDue(**{n: row[n] for n in _PERIOD}))
    found: dict[str, list[PeriodDue]] = defaultdict(list)
    due_days: dict[tuple[date, int], date] = {}
    for row in context.rows("fees", "fee_accruals", on=yesterday):
        platform, state = row["platform"], FeeState.parse(row["state"])
        business_day = reference.contract_on(platform, yesterday)["fee_contract"]["charge_business_day"]
        term = state.last, business_day
        if term not in due_days:
            due_days[term] = due_day(reference.calendar, *term)
        newest = PeriodDue(period_name(state.first, state.last), state.last, due_days[term], state.gross_minor, 0)
        due = -own.get((Book.BANK, f"{platform}:FEE_DUE"), 0)
        found[platform] = periods_due(known[platform], newest, due)
    return found


def _lacking_at_core(context: StepContext, own: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Of each platform what its custody account at the core holds less than our books say; a core that says nothing says nothing."""
    found = {}
    for row in context.rows("extract", "core_balance"):
        platform, _, name = row["account"].partition(":")
        if name == "CUSTODY" and row["core_date"] == context.custody_date:
            found[platform] = max(0, -own.get((Book.CUSTODY, f"{platform}:CORE_CASH"), 0) - row["closing_minor"])
    return found


_Due = dict[str, dict[date, tuple[int, int]]]


def _sums(tables: Iterable[pa.Table], keys: list[str]) -> list[Row]:
    """amount_minor and rows, by the keys."""
    each = [
        table.group_by(keys)
        .aggregate([("amount_minor", "sum"), ("amount_minor", "count")])
        .rename_columns([*keys, "minor", "rows"])
        for table in tables
    ]
    if not each:
        return []
    summed = pa.concat_tables(each).group_by(keys).aggregate([("minor", "sum"), ("rows", "sum")])
    rows: list[Row] = summed.rename_columns([*keys, "minor", "rows"]).sort_by([(key, "ascending") for key in keys]).to_pylist()
    return rows


def _by_due(rows: Iterable[Row]) -> _Due:
    found: _Due = defaultdict(dict)
    for row in rows:
        minor, count = found[row["platform"]].get(row["settle_date"], (0, 0))
        found[row["platform"]][row["settle_date"]] = (minor + row["minor"], count + row["rows"])
    return found


def _receivables(context: StepContext, reference: Reference) -> tuple[dict[str, int], _Due, _Due]:
    """(what channels should have settled by now, by platform: below zero where they settled more; what they are to settle and nobody
    disputes; the fees that they are to keep of that)."""
    disputed = _disputed(context)
    rates = {rate.channel: rate for rate in reference.channel_rates()}
    past: dict[str, int] = defaultdict(int)
    coming, fees = [], []
    as_of = pa.scalar(context.custody_date, pa.date32())
    for part in parts(context, "receivables", ("platform", "account", "item", "settle_date", "amount_minor")):
        owed = part.filter(pc.match_substring(part["account"], f":{RECEIVABLE}/"))
        is_past = pc.less_equal(owed["settle_date"], as_of)
        for row in _sums([owed.filter(is_past)], ["platform"]):
            past[row["platform"]] += row["minor"]
        ahead = _undisputed(owed.filter(pc.invert(is_past)), disputed)
        coming.append(ahead)
        of_account = ahead["account"].combine_chunks().dictionary_encode()
        for number, account in enumerate(of_account.dictionary.to_pylist()):
            rate = rates.get(account.partition("/")[2])
            if rate is not None:
                of_channel = ahead.filter(pc.equal(of_account.indices, number))
                asked = fees_of(of_channel["amount_minor"].to_numpy(), rate.millionths, rate.least_minor)
                at = of_channel.schema.get_field_index("amount_minor")
                fees.append(of_channel.set_column(at, "amount_minor", pa.array(asked, pa.int64())))
    keys = ["platform", "settle_date"]
    return past, _by_due(_sums(coming, keys)), _by_due(_sums(fees, keys))


def _disputed(context: StepContext) -> dict[str, set[tuple[str, str]]]:
    """(account, request) of receivables whose channel says otherwise, by platform."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for part in parts(context, "breaks", ("platform", "subject", "kind"), "reconcile"):
        some = part.filter(
            pc.and_(pc.starts_with(part["subject"], "CHANNEL|"), pc.is_in(part["kind"], pa.array(_DISPUTES, pa.string())))
        )
        for row in some.to_pylist():
            _, channel, request = row["subject"].split("|")
            found[row["platform"]].add((f"{row['platform']}:{RECEIVABLE}/{channel}", request))
    return found


def _undisputed(items: pa.Table, disputed: dict[str, set[tuple[str, str]]]) -> pa.Table:
    """Only the items of platforms that have a dispute are looked at one by one."""
    if not disputed or not items.num_rows:
        return items
    concerned = pc.is_in(items["platform"], pa.array(sorted(disputed), pa.string()))
    some = items.filter(concerned)
    sound = [
        (row["account"], row["item"].partition("|")[0]) not in disputed[row["platform"]]
        for row in some.select(["platform", "account", "item"]).to_pylist()
    ]
    return pa.concat_tables([items.filter(pc.invert(concerned)), some.filter(pa.array(sound, pa.bool_()))])


def _payables(context: StepContext) -> _Due:
    def of(part: pa.Table) -> pa.Table:
        return part.filter(pc.match_substring(part["account"], f":{PAYABLE}/"))

    columns = ("platform", "account", "settle_date", "amount_minor")
    return _by_due(_sums((of(part) for part in parts(context, "receivables", columns)), ["platform", "settle_date"]))


@dataclass(frozen=True)
class _InFlight:
    """Minor units and rows by platform. ``holds``: all that is frozen to be withdrawn; ``withdrawals``: the same by how far it has come;
    ``own``: what the platform withdraws from its P_* accounts."""

    holds: dict[str, tuple[int, int]]
    withdrawals: dict[str, dict[str, tuple[int, int]]]
    own: dict[str, dict[str, tuple[int, int]]]


def _in_flight(context: StepContext) -> _InFlight:
    frozen = (
        part.filter(pc.equal(part["kind"], str(HoldKind.WITHDRAW)))
        for part in parts(context, "holds", ("platform", "kind", "amount_minor"))
    )
    holds = {row["platform"]: (row["minor"], row["rows"]) for row in _sums(frozen, ["platform"])}
    withdrawals: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    own: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    flying = [
        _flying(part) for part in parts(context, "under_way", ("platform", "account", "txn_type", "status", "amount_minor"))
    ]
    for row in _sums((part.filter(pc.equal(part["txn_type"], str(TxnType.WITHDRAW))) for part in flying), ["platform", "status"]):
        withdrawals[row["platform"]][row["status"]] = (row["minor"], row["rows"])
    platforms = (part.filter(pc.match_substring(part["account"], ":P_")) for part in flying)
    for row in _sums(platforms, ["platform", "account"]):
        own[row["platform"]][row["account"].partition(":")[2]] = (row["minor"], row["rows"])
    for platform, (minor, rows) in holds.items():
        told = withdrawals[platform].values()
        asked = minor - sum(one for one, _ in told), rows - sum(count for _, count in told)
        if asked[0] > 0:
            withdrawals[platform][Item.REQUESTED] = asked
    return _InFlight(holds, withdrawals, own)


def _flying(part: pa.Table) -> pa.Table:
    """What has not ended; one that failed stays for its hold's sake."""
    return part.filter(pc.is_in(part["status"], pa.array(sorted(UNDER_WAY), pa.string())))


@dataclass(frozen=True)
class _Lots:
    """Unsettled money by platform and settlement date: what lies in withdrawals, and what P_ADVANCE took for its own."""

    of_withdrawals: dict[str, dict[date, int]]
    of_advance: dict[str, dict[date, int]]


def _lots(context: StepContext) -> _Lots:
    found = _Lots(defaultdict(dict), defaultdict(dict))
    kept = []
    for part in parts(context, "unsettled", ("platform", "account", "hold_id", "settle_date", "amount_minor")):
        advance = part.filter(pc.ends_with(part["account"], ":P_ADVANCE"))
        for row in _sums([advance], ["platform", "settle_date"]):
            of = found.of_advance[row["platform"]]
            of[row["settle_date"]] = of.get(row["settle_date"], 0) + row["minor"]
        kept.append(part.filter(pc.and_(pc.not_equal(part["hold_id"], ""), pc.match_substring(part["account"], "."))))
    lots = pa.concat_tables(kept) if kept else None
    if lots is None or not lots.num_rows:
        return found
    holds = pa.concat_tables(
        part.filter(pc.equal(part["kind"], str(HoldKind.WITHDRAW))).select(["platform", "hold_id"])
        for part in parts(context, "holds", ("platform", "kind", "hold_id"))
    )
    plain = pa.schema([pa.field("platform", pa.string()), pa.field("hold_id", pa.string())])
    lots = lots.cast(pa.schema([pa.field(f.name, f.type) for f in lots.schema]))
    leaving = lots.join(holds.cast(plain), ["platform", "hold_id"], join_type="left semi")
    for row in _sums([leaving], ["platform", "settle_date"]):
        found.of_withdrawals[row["platform"]][row["settle_date"]] = row["minor"]
    return found
