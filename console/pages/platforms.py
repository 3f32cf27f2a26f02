"""One platform's custody day at a glance; the figures are console.platform_day's."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from collections.abc import Sequence
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from console.pages import alerts, cases, fees
from console.pages.asking import NotFound, UserDep, asked, date_of, show
from console.pages.day import DAY_STATES
from console.pages.links import Link
from console.pages.listing import query
from console.pages.organisations import CONTACT_ROLES, PARTY_STATES
from console.pages.plot import Plot, money_plot, trend_plot
from console.pages.words import FUNDS, PROMISES, ROLES, TYPES, Words
from console.platform_day import CorePair, PlatformDay, Sum, the_platform
from custody.alert_words import SEVERITY_WORDS, rule_words
from custody.calendar import ONE_DAY
from custody.case_words import SEVERITIES
from custody.errors import UsageError
from custody.masking import mask_user_numbers
from custody.ports import Row
from custody.services.case_desk import age_days, is_overdue
from custody.services.file_moves import promise_name
from custody.verdict_words import KIND_WORDS

router = APIRouter()

# So many of what has a page of its own.
_MOST_ROWS = 10
_LONGEST = 140
_PARTS: dict[str, str] = {"available": "可用", "frozen": "冻结"}
_ACCOUNTS: dict[str, str] = {
    "CORE_CASH": "核心存管账户现金",
    "OWN_CASH": "核心自有资金现金",
    "CHANNEL_RECEIVABLE": "应收渠道款",
    "CHANNEL_PAYABLE": "应付渠道款",
    "FEE_RECEIVABLE": "应收渠道费",
    "SUSPENSE": "待查款项",
    "P_INCOME": "平台收入",
    "P_MARKETING": "平台营销",
    "P_COMPENSATION": "风险备付",
    "P_ADVANCE": "垫付资金",
    "PLATFORM_OWN": "平台自有资金",
    "BANK_CASH": "银行现金",
    "FEE_DUE": "应收存管费",
    "BANK_FEE_INCOME": "存管费收入",
    "VAT": "增值税",
}
_BOOKS: dict[str, Words] = {
    "CUSTODY": ("customers' money", "存管资金"),
    "OWN": ("platform's own", "自有资金"),
    "BANK": ("bank", "银行"),
}


@router.get("/platform", response_class=HTMLResponse)
def one_platform(request: Request, user: UserDep, id: str = "", date: str = "") -> HTMLResponse:
    """A custody date of it; without a date, the newest that was begun."""
    with asked(user, "day.view", id[:20]) as wiring:
        on = date_of(date) if date else None
        if date and on is None:
            raise UsageError(f"{date[:40]!r} is not a date YYYY-MM-DD / 日期格式应为 YYYY-MM-DD")
        try:
            told = the_platform(wiring, id, on)
        except UsageError as error:
            raise NotFound(f"no platform {id[:20]!r} / 无此平台") from error
        return show(request, "platform.html", view=View(told, wiring.settings.instance.go_live))


def address(platform: str, on: object = None) -> str:
    return query("platform", {"id": platform, "date": on})


class View:
    """A PlatformDay, with what the template asks."""

    severities, levels, kinds, roles = SEVERITIES, SEVERITY_WORDS, KIND_WORDS, CONTACT_ROLES

    def __init__(self, day: PlatformDay, first: date) -> None:
        self.day, self.first, self.id = day, first, day.party.party

    def at(self, on: date | None) -> str | None:
        """The page of another date of the same platform; None where there is none."""
        return address(self.id, on) if on in self.day.begun else None

    @property
    def previous(self) -> str | None:
        return self.at(self.day.on - ONE_DAY)

    @property
    def next(self) -> str | None:
        return self.at(self.day.on + ONE_DAY)

    @property
    def status(self) -> Words:
        return PARTY_STATES[self.day.party.status]

    @property
    def state(self) -> Words:
        return DAY_STATES[self.day.state]

    def done(self, step: str) -> bool:
        return step in self.day.seals

    @property
    def arrived(self) -> tuple[int, int]:
        """(promised files that are here, promised files) of the date."""
        return sum(row["file_name"] is not None for row in self.day.promised), len(self.day.promised)

    @property
    def links(self) -> list[tuple[str, Words]]:
        """The platform's part of each list."""
        of, on = self.id, self.day.on
        return [
            (query("cases", {"platform": of}), ("cases", "案件")),
            (query("alerts", {"platform": of}), ("alerts", "预警")),
            (query("files", {"date": on, "party": of}), ("files", "文件")),
            (query("transactions", {"platform": of, "first": on, "last": on}), ("transactions of the day", "当日交易")),
            (query("loans", {"platform": of}), ("loans", "标的")),
            (query("fees", {"platform": of}), ("fees", "存管费")),
            (query("results", {"party": of}), ("results", "对账结果")),
            (query("organisation", {"party": of}), ("contract and keys", "合同与公钥")),
        ]

    def promise(self, row: Row) -> tuple[Link, Words, Words, bool]:
        """(file, type, state, whether somebody must look)"""
        name = row["file_name"] or promise_name(row)
        return (
            Link(name, query("file", {"name": name})),
            (row["file_type"], TYPES.get(row["file_type"], "")),
            PROMISES[row["state"]],
            row["state"] == "MISSING",
        )

    @property
    def books(self) -> list[tuple[Words, list[Sum]]]:
        """Sums that are not all nought, by book."""
        moved = [s for s in self.day.sums if s.opening_minor or s.in_minor or s.out_minor or s.closing_minor]
        return [
            (words, [s for s in moved if s.book == book]) for book, words in _BOOKS.items() if any(s.book == book for s in moved)
        ]

    def account(self, said: Sum) -> Words:
        name, _, part = said.name.partition(" ")
        if part:
            return f"{name} {part}", f"{ROLES.get(name, '')}{_PARTS.get(part, '')}"
        base, _, rest = said.name.replace("/", ":").partition(":")
        return said.name, f"{_ACCOUNTS.get(base, '')}{_PARTS.get(rest, '')}"

    def core(self, pair: CorePair) -> Words:
        return pair.account, _ACCOUNTS[pair.account]

    @property
    def cases(self) -> list[Row]:
        return self.day.cases[:_MOST_ROWS]

    def case(self, row: Row) -> Link:
        return Link(row["case_id"][:10], cases.address(row["case_id"]))

    def age(self, row: Row) -> int:
        return age_days(row, self.day.cases_on)

    def late(self, row: Row) -> bool:
        return is_overdue(row, self.day.cases_on)

    @property
    def overdue(self) -> int:
        return sum(age.overdue for age in self.day.ages)

    @property
    def alerts(self) -> list[Row]:
        return self.day.alerts[:_MOST_ROWS]

    def alert(self, row: Row) -> Link:
        return Link(row["alert_id"][:10], alerts.address(row["alert_id"]))

    def rule(self, row: Row) -> Words:
        return row["rule"], rule_words(row["rule"])[1]

    def short(self, text: str) -> str:
        said = mask_user_numbers(text)
        return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"

    @property
    def funds(self) -> list[tuple[Words, Any, Plot | None]]:
        """(question, its figures, plot of what is there against what is needed)"""
        found = []
        for funds in self.day.funds:
            have, need = ([(day["on_date"], day[name]) for day in funds.days] for name in ("have_minor", "need_minor"))
            found.append((FUNDS[funds.concern], funds, money_plot(have, funds.days[-1]["on_date"], need)))
        return found

    @property
    def funds_plots(self) -> list[tuple[Words, Any, Plot]]:
        """Of the questions about money that is or will be needed."""
        return [
            (said, funds, plot)
            for said, funds, plot in self.funds
            if plot is not None and any(day["need_minor"] for day in funds.days)
        ]

    @property
    def charges(self) -> Sequence[tuple[Row, str, Words]]:
        """(charge, link to it, its state), the newest period first."""
        return [(row, fees.address(row["charge_no"]), fees.STATES[row["state"]]) for row in self.day.charges[:_MOST_ROWS]]

    @property
    def plots(self) -> list[tuple[str, Words, Plot, str | None]]:
        """(name, title, plot, currency where it is money)"""
        trend = self.day.trend
        cash = [(p.on, p.core_minor) for p in trend if p.core_minor is not None]
        drawn: list[tuple[str, Words, Plot | None, str | None]] = [
            ("posted", ("instruction legs posted", "入账指令笔数"), trend_plot([(p.on, p.posted) for p in trend]), None),
            ("breaks", ("breaks", "差错"), trend_plot([(p.on, p.breaks) for p in trend]), None),
            (
                "money",
                ("customers' money at the core, CNY", "核心存管余额（元）"),
                money_plot(cash, cash[-1][0]) if cash else None,
                "CNY",
            ),
        ]
        return [(name, title, plot, currency) for name, title, plot, currency in drawn if plot is not None]
