"""Alerts: what is to be answered, by whom and until when; one with its history, whoever was told, and why; how overdue money develops."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.bootstrap import Wiring
from console.alert_view import AlertView, Behind, Funds, assessed, message_text, overdue_trend, platform_funds, shown, view_alert
from console.pages.asking import FormDep, NotFound, UserDep, asked, show, wired
from console.pages.export import Cell, columns_of, csv_of, wants_file
from console.pages.links import Link
from console.pages.listing import Listing, listing, listing_by_place, query, rows_of
from console.pages.plot import Plot, money_plot
from console.pages.words import FUNDS, Words
from custody.alert_rules import SEVERITIES
from custody.alert_words import (
    CHANNEL_WORDS,
    COMPLIANCE_WORDS,
    DUTY_WORDS,
    EVENT_WORDS,
    MESSAGE_STATES,
    MODE_WORDS,
    RULE_WORDS,
    SEVERITY_WORDS,
    STATE_WORDS,
    WHOM_WORDS,
    rule_words,
)
from custody.calendar import CHINA, dates
from custody.errors import UsageError
from custody.figure_words import told_figures
from custody.handbook import entry_of
from custody.masking import mask_user_numbers
from custody.permissions import permitted
from custody.ports import Row
from custody.risk import BUCKETS, OverdueRatio
from custody.rule_words import condition_words
from custody.services import alerts as service
from custody.services.access import duties_of
from custody.services.alert_messages import QUEUED
from custody.services.outputs import days_begun

router = APIRouter()

_FILTERS = ("state", "severity", "rule", "platform", "duty")
_NOT_CLOSED = "NOT_CLOSED"
_STANDING = (service.OPEN, service.ACKNOWLEDGED)
# How overdue develops is shown by day, or by week back to a year.
_TREND_DAYS, _TREND_WEEKS, _WEEK = 30, 52, 7
_LONGEST_IN_LIST = 140
# Plots of platforms' money that a page shows at most.
_FUNDS_PLOTS = 6
_DEEDS = ("acknowledge", "close")
# By which columns each column of the list is ordered.
_COLUMNS: dict[str, tuple[str, ...]] = {
    # The gravest first, then the newest.
    "severity": ("-severity", "-raised_on", "rule", "alert_id"),
    "raised": ("raised_on", "alert_id"),
    "rule": ("rule", "raised_on", "alert_id"),
    "platform": ("platform", "raised_on", "alert_id"),
    "due": ("answer_by", "alert_id"),
    "state": ("state", "raised_on", "alert_id"),
}
# As a file has them.
_EXPORTED: Mapping[str, Callable[[Row], Cell]] = columns_of(
    (
        "alert_id",
        "severity",
        "state",
        "rule",
        "platform",
        "subject",
        "words_en",
        "words_zh",
        "raised_on",
        "duty",
        "answer_by",
        "acknowledged_by",
    )
)


@router.get("/alerts", response_class=HTMLResponse)
def the_alerts(request: Request, user: UserDep) -> Response:
    """Those that are not closed, the gravest first, unless the filters say otherwise."""
    with asked(user, "alert.view", "list of alerts") as wiring:
        params = dict(request.query_params)
        if wants_file(params):
            return csv_of(wiring, user.get_name(), _listed(wiring, _asked(params), params), _EXPORTED)
        return show(request, "alerts.html", view=ListView(wiring, params))


@router.get("/alert", response_class=HTMLResponse)
def one_alert(request: Request, user: UserDep, id: str = "") -> HTMLResponse:
    """What happened to it, who was told, by which rule, and the rows behind it."""
    with asked(user, "alert.view", id[:64]) as wiring:
        return show(request, "alert.html", view=OneView(wiring, user.get_name(), id))


@router.post("/alert-acknowledge", response_class=RedirectResponse)
def acknowledge(user: UserDep, form: FormDep) -> RedirectResponse:
    """The reader has seen it and answers for it."""
    with wired(user) as wiring:
        service.acknowledge(wiring.register, user.get_name(), form.get("id", ""), form.get("note", ""))
    return RedirectResponse(address(form.get("id", "")) + "#history", 303)


@router.post("/alert-close", response_class=RedirectResponse)
def close(user: UserDep, form: FormDep) -> RedirectResponse:
    """It is done with, for a reason."""
    with wired(user) as wiring:
        service.close(wiring.register, user.get_name(), form.get("id", ""), form.get("note", ""))
    return RedirectResponse(address(form.get("id", "")) + "#history", 303)


def address(alert_id: str) -> str:
    """The link to an alert."""
    return query("alert", {"id": alert_id})


class _Words:
    """What both pages call things."""

    severities, states, duties, events = SEVERITY_WORDS, STATE_WORDS, DUTY_WORDS, EVENT_WORDS
    # All that there are, whether one was raised or not: to look among years of alerts costs more than it says.
    rules = sorted({*RULE_WORDS, *COMPLIANCE_WORDS})

    def rule(self, row: Row) -> Words:
        """Its id and its name in Chinese."""
        return row["rule"], rule_words(row["rule"])[1]

    def masked(self, text: str | None) -> str:
        """What names a person at his platform is cut."""
        return mask_user_numbers(text or "–")


def _asked(params: Mapping[str, str]) -> dict[str, str]:
    """The filters. The link without parameters is the desk's: what is not closed."""
    asked = {name: params.get(name, "")[:60] for name in _FILTERS}
    return {**asked, "state": asked["state"] or _NOT_CLOSED}


def _listed(wiring: Wiring, asked: Mapping[str, str], params: Mapping[str, str]) -> Listing[Row]:
    wanted: dict[str, object] = {name: said for name, said in asked.items() if said and name != "state"}
    state = asked["state"]
    if state in (*service.STATES, _NOT_CLOSED):
        wanted["state"] = list(_STANDING) if state == _NOT_CLOSED else state
    with wiring.register.transaction() as tx:
        total = sum(tx.count("alert", ["state"], **wanted).values())
    return listing_by_place(rows_of(wiring.register, "alert", **wanted), total, _COLUMNS, params, "alerts")


class ListView(_Words):
    """The list as it is asked for, and the plots."""

    def __init__(self, wiring: Wiring, params: Mapping[str, str]) -> None:
        self.asked = _asked(params)
        now = wiring.clock.now().astimezone(CHINA)
        self._now = now.isoformat(timespec="microseconds")
        with wiring.register.transaction() as tx:
            self.by_severity = dict.fromkeys(reversed(SEVERITIES), 0)
            for (level,), number in tx.count("alert", ["severity"], state=_STANDING).items():
                self.by_severity[level] += number
            self.open = sum(tx.count("alert", ["state"], state=service.OPEN).values())
            self.unanswered = sum(tx.count("alert", ["state"], state=service.OPEN, answer_by=None).values())
            self.waiting = {channel: n for (channel,), n in tx.count("alert_message", ["channel"], state=QUEUED).items()}
            self.away = sum(tx.count("alert_message", ["channel"], state=QUEUED, gateway_away=True).values())
            self.platforms = sorted(row["party"] for row in tx.find("party"))
            begun = days_begun(tx)
        self.alerts = _listed(wiring, self.asked, params)
        days = begun[-_TREND_DAYS:]
        self.is_by_week = params.get("span") == "weeks"
        over = begun[::-_WEEK][:_TREND_WEEKS][::-1] if self.is_by_week else days
        self.trend = overdue_trend(wiring, over, self.asked["platform"])
        self.other_span = query("alerts", {**params, "span": "" if self.is_by_week else "weeks"}) + "#overdue"
        found = assessed(wiring, days, self.asked["platform"])
        self.as_of, self.ahead, self.moves = found.on, found.ahead, found.moves
        self.portfolio: Listing[Row] = listing(
            found.portfolio,
            {
                "platform": lambda r: r["platform"],
                "loans": lambda r: r["loans"],
                "balance": lambda r: r["outstanding_minor"],
                "overdue": lambda r: r["overdue_minor"],
                "ratio": lambda r: _ratio(r).by_amount,
                "largest": lambda r: Fraction(r["largest_minor"], r["outstanding_minor"]),
            },
            params,
            "alerts",
            "p_",
        )

        self.funds: Listing[Funds] = listing(
            platform_funds(wiring, found.on, self.asked["platform"]),
            {
                # The soonest short first.
                "since": lambda f: f.first["on_date"] if f.first else date.max,
                "platform": lambda f: (f.platform, f.concern, f.account),
                "question": lambda f: (f.concern, f.platform, f.account),
                "short": lambda f: f.most_short_minor,
            },
            params,
            "alerts",
            "f_",
        )

    def question(self, funds: Funds) -> Words:
        """What stands against what."""
        return FUNDS[funds.concern]

    @property
    def funds_plots(self) -> list[tuple[Funds, Plot]]:
        """Of the platform that is asked for, else of what is short: what is there, and against it what is needed, day by day."""
        found = []
        for funds in self.funds.rows[:_FUNDS_PLOTS]:
            have, need = ([(day["on_date"], day[name]) for day in funds.days] for name in ("have_minor", "need_minor"))
            plot = money_plot(have, funds.days[-1]["on_date"], need)
            if plot is not None and (self.asked["platform"] or funds.first):
                found.append((funds, plot))
        return found

    def link(self, row: Row) -> Link:
        """To the alert's page."""
        return Link(row["alert_id"][:10], address(row["alert_id"]))

    def late(self, row: Row) -> bool:
        """Whether somebody should have answered by now."""
        return row["state"] == service.OPEN and row["answer_by"] is not None and row["answer_by"] < self._now

    @property
    def buckets(self) -> list[str]:
        """Those in which something is overdue on some day shown."""
        return [name for _, name in BUCKETS if any(day.by_bucket.get(name) for day in self.trend)]

    @property
    def plots(self) -> list[tuple[str, Words, Plot]]:
        """(name, title, plot): money overdue, a plot for each bucket."""
        found = []
        for bucket in self.buckets:
            figures = [(day.on, day.by_bucket.get(bucket, 0)) for day in self.trend]
            plot = money_plot(figures, figures[-1][0])
            if plot is not None:
                found.append(("money", (f"overdue {bucket} days", f"逾期 {bucket} 天"), plot))
        return found

    @property
    def first_short(self) -> Row | None:
        """The first day ahead on which something is not covered."""
        return next((day for day in self.ahead if day["short_minor"]), None)

    @property
    def ahead_plots(self) -> list[tuple[str, Words, Plot]]:
        """What falls due, and what of it is not covered, day by day."""
        if self.as_of is None or not self.ahead:
            return []
        last = self.ahead[-1]["due"]
        of = {day["due"]: day for day in self.ahead}
        every = list(dates(self.as_of, (last - self.as_of).days + 1))
        found = []
        for name, plot_name, title in (
            ("due_minor", "money", ("falls due", "到期应还")),
            ("short_minor", "breaks", ("not covered", "资金缺口")),
        ):
            plot = money_plot([(day, of[day][name] if day in of else 0) for day in every], last)
            if plot is not None:
                found.append((plot_name, title, plot))
        return found

    def ratios(self, row: Row) -> list[str]:
        """Overdue by amount and by count, then what of the balance the largest borrower, the ten largest and the platform's related parties
        owe; in per cent."""
        ratio, balance = _ratio(row), row["outstanding_minor"]
        # A date that an earlier program assessed says nothing of related parties.
        shares = [Fraction(row.get(name) or 0, balance) for name in ("largest_minor", "ten_largest_minor", "related_minor")]
        return [_per_cent(one) for one in (ratio.by_amount, ratio.by_count, *shares)]

    def short(self, text: str) -> str:
        """Masked, and of a length that a list bears; the alert's page has all of it."""
        said = mask_user_numbers(text)
        return said if len(said) <= _LONGEST_IN_LIST else f"{said[: _LONGEST_IN_LIST - 1]}…"

    def overdue_total(self, on: date) -> int:
        """Of all buckets."""
        return sum(sum(day.by_bucket.values()) for day in self.trend if day.on == on)


def _ratio(row: Row) -> OverdueRatio:
    return OverdueRatio(row["overdue_minor"], row["outstanding_minor"], row["overdue_loans"], row["loans"])


def _per_cent(ratio: Fraction | None) -> str:
    """Rounded to a hundredth, half to even; what is compared stays exact."""
    return "–" if ratio is None else f"{Decimal(round(ratio * 10_000)) / 100:.2f}%"


class OneView(_Words):
    """An AlertView with what its reader may do."""

    channels, whoms, modes, message_states = CHANNEL_WORDS, WHOM_WORDS, MODE_WORDS, MESSAGE_STATES
    longest = service.LONGEST_NOTE

    def __init__(self, wiring: Wiring, reader: str, alert_id: str) -> None:
        with wiring.register.transaction() as tx:
            try:
                service.alert_named(tx, alert_id)
            except UsageError as why:
                raise NotFound(f"{why} / 无此预警") from None
        self.alert: AlertView = view_alert(wiring, alert_id, reader)
        self.row = self.alert.row
        with wiring.register.transaction() as tx:
            duties = duties_of(tx, reader)
            self.texts = {row["message_id"]: message_text(tx, row) for row in self.alert.messages}
        self.may = {deed: permitted(f"alert.{deed}", duties) for deed in _DEEDS}
        self.condition = condition_words(self.alert.route)
        self.figures = told_figures(self.alert.figures)
        self.handbook = entry_of(self.row["rule"])

    def shown(self, row: Row) -> dict[str, str]:
        """A row behind the alert."""
        return shown(row)

    def columns(self, part: Behind) -> list[str]:
        """Those in which some row says something."""
        return list(dict.fromkeys(name for row in part.rows for name, value in row.items() if value is not None))
