"""How every command answers: progress on stderr, the result on stdout, and an exit code that says what to do next.

0 done · 1 findings that need a person · 2 bad input or usage · 3 retry later (design.md §5). With ``--json`` the last
line of stdout is the result.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import wraps
from typing import Annotated, Any, ParamSpec

import typer
from structlog.contextvars import bound_contextvars

from connectors.bootstrap import Wiring, wire
from connectors.run_log import logged
from connectors.settings import home_from_environment
from custody.errors import CustodyError, UsageError

P = ParamSpec("P")

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON line. 以 JSON 输出")]
DateOption = Annotated[str, typer.Option("--date", help="Custody date, YYYY-MM-DD. 账务日期")]
ActorOption = Annotated[str, typer.Option("--as", help="Who acts: a person's id. 操作人", envvar="CUSTODY_ACTOR")]
# Of what the scheduler does too, and then as itself.
ActorSystem = Annotated[str, typer.Option("--as", help="Who runs it. 操作人", envvar="CUSTODY_ACTOR")]
NoteOption = Annotated[str, typer.Option("--note", help="Why, in words. 说明")]


def progress(words: str) -> None:
    """One line for the person who watches; Airflow streams it into the task's log."""
    print(f"{datetime.now().astimezone():%H:%M:%S} {words}", file=sys.stderr, flush=True)


def emit(result: Mapping[str, Any], as_json: bool, words: Sequence[str] = ()) -> None:
    """The result: as one JSON line, or as words (falling back to indented JSON where there are none)."""
    if as_json:
        print(json.dumps(result, ensure_ascii=False, default=_plain), flush=True)
    elif words:
        for line in words:
            print(line)
    else:
        print(json.dumps(result, ensure_ascii=False, indent=1, default=_plain))


def emit_proposal(proposal: str, as_json: bool) -> None:
    """What was proposed, and what a second person does about it."""
    words = f"proposal {proposal}: another person approves it: custody proposal approve {proposal} --as SOMEBODY-ELSE"
    emit({"proposal": proposal}, as_json, [words])


def _plain(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a result")


def parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a date YYYY-MM-DD") from None


@contextmanager
def wired() -> Iterator[Wiring]:
    """The wiring of the instance that CUSTODY_HOME names."""
    wiring = wire(home_from_environment())
    try:
        with logged(wiring.settings):
            yield wiring
    finally:
        wiring.close()


def command(function: Callable[P, int | None]) -> Callable[P, None]:
    """Turn a function that returns 0 or 1 into a command: our errors become their exit code and one line of words."""

    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with bound_contextvars(command=name):
                code = function(*args, **kwargs) or 0
        except CustodyError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            if kwargs.get("as_json"):
                print(json.dumps({"error": type(error).__name__, "words": str(error)}, ensure_ascii=False), flush=True)
            code = error.exit_code
        sys.stdout.flush()
        raise typer.Exit(code)

    return run
