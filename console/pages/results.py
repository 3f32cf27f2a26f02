"""Results of a date: each platform's rows by verdict, breaks, answer, and how its days have gone; the figures are
console.results_view's."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from console.pages.asking import NotFound, UserDep, asked, date_of, show
from console.pages.listing import Listing, listing, query
from console.pages.plot import Plot, trend_plot
from console.pages.words import DELIVERY_STATES, Words
from console.results_view import PlatformResult, Results, results_of
from custody.errors import UsageError
from custody.services.outputs import days_begun, seals_of_day
from custody.verdict_words import why

router = APIRouter()

_ANSWERS: dict[str, Words] = {
    "AWAITED": ("awaited", "待确认"),
    "AGREED": ("agreed", "已确认"),
    "DISPUTED": ("disputed", "有异议"),
}
_NOTHING: Words = ("–", "")


@router.get("/results", response_class=HTMLResponse)
def the_results(
    request: Request, user: UserDep, wanted: Annotated[str, Query(alias="date")] = "", platform: str = ""
) -> HTMLResponse:
    """One custody date; without a date, the newest that is reconciled."""
    with asked(user, "day.view", "results of the day") as wiring:
        with wiring.register.transaction() as tx:
            reconciled = [day for day in days_begun(tx) if "reconcile" in seals_of_day(tx, day)]
        if not reconciled:
            raise NotFound("no custody date is reconciled yet / 尚无已对账的账务日")
        on = date_of(wanted) if wanted else reconciled[-1]
        if on is None:
            raise UsageError(f"{wanted[:40]!r} is not a date YYYY-MM-DD / 日期无效")
        view = ResultsView(results_of(wiring, on, platform[:10]), reconciled, dict(request.query_params))
        return show(request, "results.html", view=view)


class ResultsView:
    """Results, with what the template asks."""

    def __init__(self, results: Results, reconciled: list[date], params: Mapping[str, str]) -> None:
        self.results, self.reconciled = results, reconciled
        self.platform = params.get("platform", "")
        self.platforms: Listing[PlatformResult] = listing(
            results.platforms,
            {
                "platform": lambda p: p.platform,
                "matched": lambda p: p.rows.get("MATCHED", 0),
                "broken": lambda p: p.rows.get("BREAK", 0),
                "carried": lambda p: p.rows.get("CARRIED", 0),
                "rejected": lambda p: p.rows.get("REJECTED", 0),
                "breaks": lambda p: p.breaks,
                "answer": lambda p: p.answer or "",
            },
            {"date": results.on.isoformat(), **params},
            "results",
        )

    def at(self, days: int) -> str | None:
        """The link to a neighbouring date that is reconciled."""
        day = self.results.on + timedelta(days=days)
        return query("results", {"date": day, "platform": self.platform}) if day in self.reconciled else None

    def of(self, platform: str) -> str:
        return query("results", {"date": self.results.on, "platform": platform})

    @property
    def everyone(self) -> str:
        return query("results", {"date": self.results.on})

    def told(self, result: PlatformResult) -> Words:
        return _NOTHING if result.told is None else DELIVERY_STATES[result.told]

    def answer(self, result: PlatformResult) -> Words:
        return _NOTHING if result.answer is None else _ANSWERS[result.answer]

    def why(self, kind: str) -> Words:
        return why(kind)

    @property
    def plots(self) -> list[tuple[str, Words, Plot]]:
        """(name, title, plot): of the platform that is asked for, else of all together."""
        days: dict[date, int | None] = {}
        for figures in self.results.trend.values():
            for day, breaks in figures:
                known = days.get(day)
                days[day] = breaks if known is None else known + (breaks or 0)
        plot = trend_plot(sorted(days.items()))
        of = self.platform or "all platforms 全部平台"
        return [] if plot is None else [("breaks", (f"breaks, {of}", "差错走势"), plot)]

    @property
    def figures(self) -> list[tuple[date, list[int | None]]]:
        """(date, each platform's breaks), the newest first: what the plot shows, as a table."""
        columns = list(self.results.trend.values())
        days = [day for day, _ in columns[0]] if columns else []
        return [(day, [column[at][1] for column in columns]) for at, day in reversed(list(enumerate(days)))]
