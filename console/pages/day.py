"""What the day's page says, in words and in order (domain.md §10); the figures are console.overview's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from console.overview import UNDER_WAY, Day, Found
from console.pages.links import Link
from console.pages.listing import Listing, listing, query
from console.pages.plot import Plot, trend_plot
from console.pages.words import PROMISES, Words
from custody.counting import counted
from custody.masking import mask_user_numbers
from custody.ports import Row
from custody.services.intake import FILE_QUARANTINED
from custody.services.promises import FILE_MISSING
from custody.steps import STATES, STEPS

DAY_STATES: dict[str, Words] = {
    "OPEN": ("open", "未日切"),
    "CUT_OFF": ("cut off", "日切"),
    "LANDED": ("landed", "已入库"),
    "POSTED": ("posted", "已记账"),
    "RECONCILED": ("reconciled", "已对账"),
    "ASSESSED": ("assessed", "已评估"),
    "CLOSED": ("closed", "已关账"),
}
_STEPS: dict[str, str] = {
    "cut_off": "日切", "land": "入库", "validate": "批次校验", "extract": "抽取", "post": "记账", "project": "投影", "reconcile": "对账", "fees": "计费",
    "risk": "风控", "compliance": "合规", "statement": "账单", "report": "报表", "close": "关账",
}  # fmt: skip
# Words, an amount with its currency, or a link.
Cell = str | tuple[int, str] | Link


@dataclass(frozen=True)
class Topic:
    """One line of the morning's list. ``rows`` are cells under ``columns``, the first of ``count``; ``command`` shows all.
    ``amounts``: their sum in each currency, empty where a sum would say nothing.

    ``known``: whether the step that would find them is committed; while it is not, none is no good news.
    """

    name: str
    title: Words
    known: bool
    count: int
    amounts: list[tuple[int, str]]
    columns: Sequence[Words]
    rows: list[list[Cell]]
    command: str

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


class View:
    """A Day, with what the template asks."""

    def __init__(self, day: Day, first: date, bank: str, params: Mapping[str, str] | None = None) -> None:
        self.day = day
        self.first = first
        self.bank = bank
        # Parties of which something is wrong stand first, unless the reader wants another order.
        self.parties: Listing[Row] = listing(
            day.platforms,
            {
                "concern": _concern,
                "party": lambda p: p["platform"],
                "landed": lambda p: p["landed"],
                "wanting": lambda p: p["expected"] - p["landed"],
                "breaks": lambda p: p["breaks"],
                "alerts": lambda p: p["alerts"],
            },
            {"date": day.on.isoformat(), **(params or {})},
            "day",
            "party_",
        )

    @property
    def previous(self) -> date | None:
        before = self.day.on - timedelta(days=1)
        return before if before >= self.first else None

    @property
    def next(self) -> date | None:
        newest = self.newest
        after = self.day.on + timedelta(days=1)
        return after if newest is not None and after <= newest else None

    @property
    def newest(self) -> date | None:
        return self.day.begun[-1] if self.day.begun else None

    @property
    def empty(self) -> Words | None:
        """Why there is nothing to see, if there is nothing."""
        if self.day.seals:
            return None
        if self.day.on < self.first:
            return (f"This date lies before the first custody date, {self.first}.", f"早于系统首个账务日 {self.first}。")
        if not self.day.begun:
            return ("No custody day has been run yet.", "尚未运行任何账务日。")
        return ("This custody date has not been run.", "该账务日尚未运行。")

    @property
    def states(self) -> list[tuple[str, Words, bool]]:
        """(state, words, whether it is reached), in order."""
        reached = STATES.index(self.day.state)
        shown = [(state, DAY_STATES[state], at <= reached) for at, state in enumerate(STATES)]
        # Every day is open until it is cut off; later that says nothing.
        return shown if self.day.state == STATES[0] else shown[1:]

    @property
    def steps(self) -> list[tuple[str, str, int | None]]:
        """(step, Chinese name, committed version or None), in order."""
        seals = self.day.seals
        return [(step, _STEPS[step], seals[step].version if step in seals else None) for step in STEPS]

    @property
    def lists(self) -> dict[str, str]:
        """Of topics that have a page of their own, the link to it."""
        on = self.day.on
        alerts = dict.fromkeys(("liquidity", "alerts", "operations"), "alerts")
        return {"files": query("files", {"date": on}), **dict.fromkeys(("shortfall", "new", "carried"), "cases"), **alerts}

    @cached_property
    def totals(self) -> dict[str, int]:
        """Over all parties; breaks and alerts only once their step is committed."""
        known = ["landed", "expected"]
        known += [name for name, step in (("untrusted", "validate"), ("unusual", "validate"), ("breaks", "reconcile"), ("alerts", "risk"))
                  if self.done(step)]  # fmt: skip
        return {name: sum(p[name] for p in self.day.platforms) for name in known}

    def promises(self, row: dict[str, Any]) -> list[tuple[Words, int, bool]]:
        """(what, how many of the party's promised files, whether somebody must look)"""
        states: dict[str, int] = row["promised"]
        return [(words, states[state], state == "MISSING") for state, words in PROMISES.items() if state in states]

    @cached_property
    def promised(self) -> list[tuple[Words, int, bool]]:
        """The same of all parties."""
        total: Counter[str] = Counter()
        for row in self.day.platforms:
            for state, number in row["promised"].items():
                total[state] += number
        return self.promises({"promised": total})

    @cached_property
    def balanced(self) -> tuple[int, int]:
        """(parties without a break, parties)"""
        return sum(p["balanced"] is True for p in self.day.platforms), len(self.day.platforms)

    @property
    def plots(self) -> list[tuple[str, Words, Plot]]:
        """(name, title, plot), each with a scale of its own; empty until two days are reconciled."""
        trend = self.day.trend
        drawn = [
            ("breaks", ("breaks", "差错"), trend_plot([(p.on, p.breaks) for p in trend])),
            (
                "carried",
                ("open items: rows whose counterpart may still come", "未达账项"),
                trend_plot([(p.on, p.carried) for p in trend]),
            ),
        ]
        return [(name, title, plot) for name, title, plot in drawn if plot is not None]

    def done(self, step: str) -> bool:
        return step in self.day.seals

    def party(self, row: Row) -> str:
        """The page of a platform's day; of any other party, its own."""
        name = row["platform"]
        if name in self.day.other_parties:
            return query("organisation", {"party": name})
        return query("platform", {"id": name, "date": self.day.on})

    @property
    def _batches_title(self) -> Words:
        """What nobody could judge yet is said: none found among those is no good news."""
        english, chinese = "batches that are not as usual", "批次异常"
        if not self.day.batches_without_history:
            return english, chinese
        count = self.day.batches_without_history
        return (
            f"{english}; {count} {'has' if count == 1 else 'have'} no history to be compared with yet",
            f"{chinese}；{count} 个批次历史不足，尚无法比较",
        )

    @property
    def _liquidity_title(self) -> Words:
        """For which day, and of how many platforms money will not do."""
        english, chinese = "what can be paid out", "当日支付头寸"
        if not self.day.liquidity.count:
            return english, chinese
        on, short = self.day.liquidity.rows[0]["on_date"], self.day.liquidity_short
        more = (f"; {counted(short, 'platform')} short", f"；{short} 家平台不足") if short else ("", "")
        return f"{english} on {on}{more[0]}", f"{chinese}（{on}）{more[1]}"

    def _waiting_cells(self, row: Row) -> list[Cell]:
        where = Link(row["request_no"], query("transactions", {"platform": row["platform"], "request": row["request_no"]}))
        due_on = row["due_on"]
        by = "–" if due_on is None else due_on.isoformat() if due_on >= self.day.on else f"{due_on} ✗ overdue 已逾期"
        since, days = self._age(row["since"])
        return [_WAITING[row["what"]], row["platform"], where, since, days, by, (row["amount_minor"], row["currency"])]

    def _legal_cells(self, row: Row) -> list[Cell]:
        account = mask_user_numbers(row["account"])
        return [
            _LEGAL[row["what"]],
            row["platform"],
            row["number"],
            account,
            *self._age(row["since"]),
            (row["amount_minor"], "CNY"),
        ]

    def _age(self, since: date | None) -> tuple[str, str]:
        return ("–", "–") if since is None else (since.isoformat(), str((self.day.on - since).days))

    @property
    def topics(self) -> list[Topic]:
        day, done = self.day, self.done
        breaks = _break_cells, (("party", "机构"), ("kind", "种类"), ("subject", "对象"), ("amount, CNY", "金额（元）"))
        cash = _account_cells, (("account", "账户"), ("amount, CNY", "金额（元）"))
        listed = "custody case list"
        return [
            _topic("files", ("files missing or refused", "缺失或拒收文件"), done("land"), day.files_missing, _file_cells,
                   (("party", "机构"), ("file", "文件"), ("custody day", "账务日"), ("why", "原因")), "custody file list"),
            _topic("batches", self._batches_title, done("validate"), day.batch_findings, _batch_cells,
                   (("severity", "级别"), ("party", "机构"), ("file", "文件"), ("custody day", "账务日"), ("what", "内容")),
                   f"custody expect --docs --date {day.on}"),
            _topic("shortfall", ("custody money: bank core against ledger", "存管资金差额"), done("reconcile"), day.shortfalls, *breaks, listed),
            _topic("channel", ("channel cash due", "渠道待清算款"), done("post"), day.channel_cash, *cash, "", summed=True),
            _topic("liquidity", self._liquidity_title, done("risk"), day.liquidity, _liquidity_cells,
                   (("party", "机构"), ("cash, CNY", "现金（元）"), ("channels settle", "渠道清算"), ("paid to channels", "应付渠道"),
                    *(_UNDER_WAY[status] for status in UNDER_WAY), ("left", "余额")), "custody alert list --rule PAYOUT_SHORT"),
            _topic("unknown", ("withdrawals in an unknown state", "状态不明提现"), done("post"), day.unknown_withdrawals,
                   _item_cells,
                   (("party", "机构"), ("subject", "对象"), ("custody day", "账务日"), ("amount, CNY", "金额（元）")), "", summed=True),
            _topic("waiting", ("returns and suspense", "退回与挂账"), done("post"), day.waiting_money, self._waiting_cells,
                   (("what", "种类"), ("party", "机构"), ("request", "流水号"), ("since", "起始日"), ("days", "天数"), ("deal with it by", "处理期限"),
                    ("amount, CNY", "金额（元）")), "", summed=True),
            _topic("new", ("new breaks", "新增差错"), done("reconcile"), day.new_breaks, *breaks, listed),
            _topic("carried", ("breaks carried from earlier days", "跨日未结差错"), done("reconcile"), day.carried_breaks, *breaks, listed),
            _topic("legal", ("legal orders to be carried out, and money frozen under one", "待执行司法协助及司法冻结"), done("post"), day.legal_matters,
                   self._legal_cells,
                   (("what", "事项"), ("party", "机构"), ("order or hold", "协助或冻结编号"), ("account", "账户"), ("since", "起始日"), ("days", "天数"),
                    ("amount, CNY", "金额（元）")), ""),
            _topic("alerts", ("risk alerts", "风险预警"), done("risk"), day.risk_alerts, _risk_alert_cells,
                   (("severity", "级别"), ("rule", "规则"), ("party", "机构"), ("about", "对象"), ("what", "内容")), "custody alert list"),
            _topic("operations", ("alerts of the runs: a task failed, a deadline missed, a report due, a file missing", "运行预警"), True,
                   day.operational_alerts, _operational_alert_cells,
                   (("severity", "级别"), ("rule", "规则"), ("subject", "对象"), ("what", "内容")), "custody alert list"),
            _topic("approvals", ("waiting for a second person, now", "当前待复核"), True, day.approvals, _proposal_cells,
                   (("proposal", "提案"), ("kind", "种类"), ("by", "提出人"), ("since", "时间")), "custody proposal list"),
        ]  # fmt: skip


def _concern(row: Row) -> tuple[Any, ...]:
    """The most wanting first: files that are not here, batches not to be trusted, breaks, alerts; among equals by party."""
    return (
        row["landed"] - row["expected"],
        -(row["untrusted"] or 0),
        -(row["breaks"] or 0),
        -(row["alerts"] or 0),
        row["platform"],
    )


def _topic(
    name: str,
    title: Words,
    known: bool,
    found: Found,
    cells: Callable[[Row], list[Cell]],
    columns: Sequence[Words],
    command: str,
    summed: bool = False,
) -> Topic:
    """Breaks are never ``summed``: one sum of money stands in several (in INV_01 and in the movement that is missing), and
    their amounts have no sign."""
    amounts = [(minor, currency) for currency, minor in sorted(found.minor.items())] if summed else []
    return Topic(name, title, known, found.count, amounts, columns, [cells(row) for row in found.rows], command)


def _file_cells(row: Row) -> list[Cell]:
    if row["outcome"] == "EXPECTED":
        why = "has not come 未收到"
    elif row["outcome"] == "GIVEN_UP":
        why = "given up by two people 经两人复核不再等待"
    else:
        why = f"{row['words_en']} · {row['words_zh']}"
    return [row["party"], row["file_name"] or row["file_type"], row["custody_date"].isoformat(), why]


def _batch_cells(row: Row) -> list[Cell]:
    """A batch that failed is not to be trusted until somebody has looked at it."""
    severity = "FAIL, not to be trusted 不可信" if row["severity"] == "fail" else "WARN 提示"
    return [severity, row["party"], row["file_type"], row["custody_date"].isoformat(), f"{row['words_en']} · {row['words_zh']}"]


def _break_cells(row: Row) -> list[Cell]:
    subject = mask_user_numbers(row["subject"])
    about = Link(row["kind"], query("case", {"id": row["case_id"]}))
    kind, _, rest = row["subject"].partition("|")
    if kind in ("TXN", "CLAIM"):
        # By search, since the ledger may well have no such request: that may be the break.
        where = {"platform": row["platform"], "request": rest.partition("|")[0]}
        return [row["platform"], about, Link(subject, query("transactions", where)), (row["amount_minor"], "CNY")]
    if row["kind"] == "INV_01":
        subject += _direction(json.loads(row["evidence"]))
    return [row["platform"], about, subject, (row["amount_minor"], "CNY")]


def _direction(evidence: list[dict[str, Any]]) -> str:
    """Which side of an INV_01 has more, as its amount has no sign; "" where a book is compared with no balance of the core."""
    for figures in evidence:
        if figures.get("core") == "absent":
            return " · core has no such account 核心无此账户"
        if "core" in figures:
            more = figures["core"] > figures["ledger"]
            return " · core more than ledger 核心多于账簿" if more else " · core less than ledger 核心少于账簿"
    return ""


def _account_cells(row: Row) -> list[Cell]:
    return [row["account"], (row["amount_minor"], row["currency"])]


_WAITING = {"SUSPENSE": "without an owner 挂账", "RETURNED": "pay-out came back 提现退回"}
_LEGAL = {
    "FREEZE": "to be frozen 待冻结", "RELEASE": "to be released 待解冻", "DEDUCT": "to be deducted 待扣划",
    "FROZEN": "frozen 已冻结",
}  # fmt: skip
_UNDER_WAY: dict[str, Words] = {
    "UNKNOWN": ("unknown", "状态不明"),
    "REMITTING": ("remitting", "汇出中"),
    "ACCEPTED": ("accepted", "已受理"),
    "REQUESTED": ("asked for", "已申请"),
    "IN_FLIGHT": ("platform's own", "平台自有"),
}


def _liquidity_cells(row: Row) -> list[Cell]:
    names = ("cash_minor", "due_minor", "payable_minor", *map(str, UNDER_WAY), "left_minor")
    return [row["platform"], *((row[name], row["currency"]) for name in names)]


def _item_cells(row: Row) -> list[Cell]:
    subject = mask_user_numbers(row["subject"])
    return [row["platform"] or "", subject, row["item_date"].isoformat(), (row["amount_minor"], row["currency"])]


def _risk_alert_cells(row: Row) -> list[Cell]:
    subject = row["subject"]
    # An account's alert names the account; any other names its loan.
    about: Cell = mask_user_numbers(subject)
    if "." not in subject and ":" not in subject:
        about = Link(subject, query("loans", {"platform": row["platform"], "id": subject}))
    return [row["severity"], row["rule"], row["platform"], about, _what(row)]


def _operational_alert_cells(row: Row) -> list[Cell]:
    what = _what(row)
    if row["ended_at"]:
        what = f"ended 已销记: {mask_user_numbers(row['ended_en'] + ' · ' + row['ended_zh'])}"
    about: Cell = mask_user_numbers(row["subject"])
    if row["rule"] in (FILE_MISSING, FILE_QUARANTINED):
        about = Link(row["subject"], query("file", {"name": row["subject"]}))
    return [row["severity"], row["rule"], about, what]


def _what(row: Row) -> str:
    return mask_user_numbers(f"{row['words_en']} · {row['words_zh']}")


def _proposal_cells(row: Row) -> list[Cell]:
    return [row["proposal_id"], row["kind"], row["maker"], row["proposed_at"][:16].replace("T", " ")]
