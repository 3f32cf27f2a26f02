"""For which custody date does a run of a DAG work? (domain.md §10; facts: `logical_date` may be null.)

The order, and nothing else: what a person or the demo gave (``conf``, which the form fills), then the custody date that the
triggering asset event carries, then the run's data interval if it is a whole calendar day (UTC+8). There is no guess after that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from jsonschema import FormatChecker

from custody.calendar import CHINA, ONE_DAY, custody_date_of

KEY = "custody_date"
# Environment of Airflow's services: the instance's first custody date, and, if it has one, its last.
FIRST_DATE_VARIABLE = "CUSTODY_FIRST_DATE"
LAST_DATE_VARIABLE = "CUSTODY_LAST_DATE"
# What JSON Schema's "date" does not say, as a format of its own: Airflow quotes its name when it refuses to start a run.
BEGUN_DATE = (
    "custody date that has begun, from the instance's first date to today (UTC+8) / 首个托管日至今日（东八区）之间的托管日"
)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_REMEDY = f'start the run with the configuration {{"{KEY}": "YYYY-MM-DD"}} / 请在触发时给出配置 {{"{KEY}": "YYYY-MM-DD"}}'


class NoCustodyDate(ValueError):
    """The run names no custody date, or a wrong one; a person must start it again with the right one."""


def parse_custody_date(text: object, today: date) -> date:
    """``text`` as a custody date that has begun by ``today`` (both UTC+8).

    Raises NoCustodyDate when it is not written YYYY-MM-DD, is no day of the calendar, or lies in the future.
    """
    if not isinstance(text, str) or not _ISO_DATE.fullmatch(text):
        raise NoCustodyDate(f"{KEY} {text!r} is not a date YYYY-MM-DD / 日期格式应为 YYYY-MM-DD; {_REMEDY}")
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise NoCustodyDate(f"{KEY} {text!r} is no day of the calendar / 不是有效日期; {_REMEDY}") from error
    if day > today:
        raise NoCustodyDate(f"{KEY} {text} lies in the future: today is {today} UTC+8 / 日期晚于今天; {_REMEDY}")
    return day


def _has_begun(said: object) -> bool:
    """Whether a run may be started for it. Empty is no date: it says that the run's own is meant. Raises NoCustodyDate."""
    if said is None:
        return True
    day = parse_custody_date(said, today_utc8())
    first = os.environ.get(FIRST_DATE_VARIABLE)
    if first is not None and day < date.fromisoformat(first):
        raise NoCustodyDate(f"{KEY} {day} lies before the instance's first, {first} / 早于首个托管日; {_REMEDY}")
    return True


# Whoever checks a form (the API server by our plugin, the DAG processor and the tasks by their DAGs) imports this module.
FormatChecker.checkers[BEGUN_DATE] = (_has_begun, NoCustodyDate)


def resolve(given: Iterable[object], events: Iterable[object], interval_end: datetime | None, today: date) -> date:
    """The custody date of a run, from its three sources in order of precedence.

    ``given`` and ``events`` may hold None for "not said". Two different dates from one source are refused, since a run
    works for one date. ``interval_end`` counts only if it is a midnight of UTC+8: the date is the day that ended there.
    """
    for source, values in (("configuration", given), ("asset events", events)):
        said = sorted({str(value) for value in values if value is not None})
        if len(said) > 1:
            raise NoCustodyDate(f"the {source} name several custody dates: {', '.join(said)} / 出现多个托管日; {_REMEDY}")
        if said:
            return parse_custody_date(said[0], today)
    if interval_end is None:
        raise NoCustodyDate(f"the run has no configuration, asset event or data interval / 未给出托管日; {_REMEDY}")
    end = interval_end.astimezone(CHINA)
    if (end.hour, end.minute, end.second, end.microsecond) != (0, 0, 0, 0):
        raise NoCustodyDate(f"the data interval ends at {end.isoformat()}, not with a day UTC+8 / 区间不是整日; {_REMEDY}")
    return parse_custody_date((custody_date_of(interval_end) - ONE_DAY).isoformat(), today)


def today_utc8() -> date:
    """The calendar day on which this process runs. Wall clock: only orchestration may ask, never a step."""
    return datetime.now(CHINA).date()


def custody_date_of_task(context: Mapping[str, Any]) -> date:
    """The custody date of the running task, from Airflow's task context. Raises NoCustodyDate."""
    run = context["dag_run"]
    # Airflow's form puts the parameter into conf. `params` itself is not read: in 3.3.2 `dag.test` leaves the conf of one
    # run in the task's params, so that the next run of the same process would silently take its date.
    given = (run.conf or {}).get(KEY)
    events: list[object] = [context.get("partition_key")]
    for of_asset in context["triggering_asset_events"].values():
        events.extend((event.extra or {}).get(KEY) for event in of_asset)
    return resolve([given], events, run.data_interval_end, today_utc8())


def custody_date_of_run(run: Mapping[str, Any]) -> date:
    """The custody date of a DAG run as the REST model shows it (deadline callbacks get no more). Raises NoCustodyDate."""
    end = run.get("data_interval_end")
    return resolve(
        [(run.get("conf") or {}).get(KEY)],
        [run.get("partition_key")],
        datetime.fromisoformat(end) if end else None,
        today_utc8(),
    )
