"""What the day's page says, in words and in order (domain.md §10); the figures are console.overview's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from console.overview import Day
from console.pages.plot import Plot, trend_plot
from custody.masking import mask
from custody.ports import Row
from custody.steps import STATES, STEPS

# (English, Chinese)
Words = tuple[str, str]

LOG_IN: Words = ("Log in to Airflow first", "请先登录 Airflow")
NOT_PERMITTED: Words = ("You may not see this page", "您无权查看本页")
NOT_A_DATE: Words = ("That is no date YYYY-MM-DD that we keep", "日期无效，格式应为 YYYY-MM-DD")
AGAIN: Words = ("The figures cannot be read just now; try again", "暂时无法读取数据，请稍后重试")
CANNOT: Words = ("The figures cannot be shown until somebody puts this right", "须先处理以下问题才能显示")

_STATES: dict[str, Words] = {
    "OPEN": ("open", "未日切"),
    "CUT_OFF": ("cut off", "已日切"),
    "LANDED": ("landed", "已入库"),
    "POSTED": ("posted", "已记账"),
    "RECONCILED": ("reconciled", "已对账"),
    "ASSESSED": ("assessed", "已评估"),
    "CLOSED": ("closed", "已关账"),
}
_STEPS: dict[str, str] = {
    "cut_off": "切日", "land": "入库", "extract": "抽取", "post": "记账", "project": "投影", "reconcile": "对账", "fees": "计费",
    "risk": "风控", "statement": "账单", "report": "报表", "close": "关账",
}  # fmt: skip
_MOST_ROWS = 50
_USER_NUMBER = re.compile(r"((?:LENDER|BORROWER)\.)([^|:,\s]+)")


def without_user_numbers(text: str) -> str:
    """A person's number at a platform is enough to find him there: masked wherever a subject or a sentence names it."""
    return _USER_NUMBER.sub(lambda found: found[1] + mask(found[2]), text)


@dataclass(frozen=True)
class Topic:
    """One line of the morning's list. ``rows`` are cells under ``columns``, at most 50 of ``count``; ``command`` shows all.

    ``known``: whether the step that would find them is committed; while it is not, none is no good news.
    """

    name: str
    title: Words
    known: bool
    count: int
    amounts: list[tuple[int, str]]
    columns: Sequence[Words]
    rows: list[list[str | tuple[int, str]]]
    command: str

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


class View:
    """A Day, with what the template asks."""

    def __init__(self, day: Day, first: date, bank: str) -> None:
        self.day = day
        self.first = first
        self.bank = bank

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
        shown = [(state, _STATES[state], at <= reached) for at, state in enumerate(STATES)]
        # Every day is open until it is cut off; later that says nothing.
        return shown if self.day.state == STATES[0] else shown[1:]

    @property
    def steps(self) -> list[tuple[str, str, int | None]]:
        """(step, Chinese name, committed version or None), in order."""
        seals = self.day.seals
        return [(step, _STEPS[step], seals[step].version if step in seals else None) for step in STEPS]

    @property
    def totals(self) -> dict[str, int]:
        return {name: sum(p[name] for p in self.day.platforms) for name in ("landed", "expected", "breaks", "alerts")}

    @property
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

    @property
    def topics(self) -> list[Topic]:
        day, done = self.day, self.done
        breaks = _break_cells, (("party", "机构"), ("kind", "种类"), ("subject", "对象"), ("amount, CNY", "金额（元）"))
        cash = _account_cells, (("account", "账户"), ("amount, CNY", "金额（元）"))
        listed = "custody case list"
        return [
            _topic("files", ("files missing or refused", "缺失或被拒文件"), done("land"), day.files_missing, _file_cells,
                   (("party", "机构"), ("file", "文件"), ("of", "日期"), ("why", "原因")), "custody file list"),
            _topic("shortfall", ("custody money: bank core against ledger", "存管资金差额"), done("reconcile"), day.shortfalls, *breaks, listed),
            _topic("channel", ("channel cash due", "渠道待清算款"), done("post"), day.channel_cash, *cash, ""),
            _topic("unknown", ("withdrawals in an unknown state", "状态不明提现"), done("reconcile"), day.unknown_withdrawals,
                   _item_cells,
                   (("party", "机构"), ("subject", "对象"), ("of", "日期"), ("amount, CNY", "金额（元）")), ""),
            _topic("suspense", ("suspense", "待查款项"), done("post"), day.suspense, *cash, ""),
            _topic("new", ("new breaks", "新增差错"), done("reconcile"), day.new_breaks, *breaks, listed),
            _topic("ageing", ("breaks that age", "未结差错"), done("reconcile"), day.ageing_breaks, *breaks, listed),
            _topic("alerts", ("alerts", "预警"), done("risk"), day.alerts, _alert_cells,
                   (("severity", "级别"), ("rule", "规则"), ("party", "机构"), ("what", "内容")), "custody alert list"),
            _topic("approvals", ("waiting for a second person, now", "当前待复核"), True, day.approvals, _proposal_cells,
                   (("proposal", "提案"), ("kind", "种类"), ("by", "提出人"), ("since", "时间")), "custody proposal list"),
        ]  # fmt: skip


def _topic(
    name: str,
    title: Words,
    known: bool,
    rows: list[Row],
    cells: Callable[[Row], list[str | tuple[int, str]]],
    columns: Sequence[Words],
    command: str,
) -> Topic:
    by_currency: dict[str, int] = {}
    for row in rows:
        if "amount_minor" in row:
            currency = row.get("currency") or "CNY"
            by_currency[currency] = by_currency.get(currency, 0) + row["amount_minor"]
    amounts = [(minor, currency) for currency, minor in sorted(by_currency.items())]
    return Topic(name, title, known, len(rows), amounts, columns, [cells(row) for row in rows[:_MOST_ROWS]], command)


def _file_cells(row: Row) -> list[str | tuple[int, str]]:
    if row["outcome"] == "EXPECTED":
        why = "has not come 未收到"
    else:
        why = f"{row['words_en']} · {row['words_zh']}"
    return [row["party"], row["file_name"] or row["file_type"], row["custody_date"].isoformat(), why]


def _break_cells(row: Row) -> list[str | tuple[int, str]]:
    return [row["platform"], row["kind"], without_user_numbers(row["subject"]), (row["amount_minor"], "CNY")]


def _account_cells(row: Row) -> list[str | tuple[int, str]]:
    return [row["account"], (row["amount_minor"], row["currency"])]


def _item_cells(row: Row) -> list[str | tuple[int, str]]:
    subject = without_user_numbers(row["subject"])
    return [row["platform"] or "", subject, row["item_date"].isoformat(), (row["amount_minor"], row["currency"])]


def _alert_cells(row: Row) -> list[str | tuple[int, str]]:
    words = without_user_numbers(f"{row['words_en']} · {row['words_zh']}")
    return [row["severity"], row["rule"], row["platform"], words]


def _proposal_cells(row: Row) -> list[str | tuple[int, str]]:
    return [row["proposal_id"], row["kind"], row["maker"], row["proposed_at"][:16].replace("T", " ")]
