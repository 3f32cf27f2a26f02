"""The one operator of our DAGs: a task is one `custody` command for one custody date (design.md §4.9). No business logic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from console.airflow.dates import KEY, NoCustodyDate, custody_date_of_task, parse_custody_date, today_utc8
from console.airflow.pools import pool_of

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from console.airflow.command import CustodyProcess, Outcome


class CustodyCommand(BaseOperator):  # type: ignore[misc]  # airflow is not type-checked here
    """Runs `custody <command> [--date D] --json` in its own process and returns its JSON result.

    ``command``: the words after `custody`, e.g. ("cut-off",) or ("report", "due").
    ``dated``: whether the command takes ``--date``; intake sweeps do not.
    ``custody_date``: a template for the date; None takes the run's own (console/airflow/dates.py).

    Exit 0 done; 1 done, with findings for a person: the task succeeds and says so; 2 fails without retry; 3 and everything
    unknown (a signal, a crash) fails with the task's retries. Exit 0 and 1 count only with a JSON object as last line: an
    uncaught Python error exits with 1 too. Outlet events carry ``custody_date`` in their extra and as partition key.
    """

    template_fields: Sequence[str] = ("command", "custody_date")
    ui_color = "#e8f0e4"

    def __init__(self, *, command: Sequence[str], dated: bool = True, custody_date: str | None = None, **kwargs: Any) -> None:
        if (pool := pool_of(command)) is not None:
            kwargs.setdefault("pool", pool)
        super().__init__(**kwargs)
        self.command = command
        self.dated = dated
        self.custody_date = custody_date
        self._process: CustodyProcess | None = None

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Also fills the run's own date in, so that the page of the task shows which date it worked for."""
        super().render_template_fields(context, jinja_env)
        if self.dated and self.custody_date is None:
            try:
                self.custody_date = custody_date_of_task(context).isoformat()
            except NoCustodyDate as error:
                raise AirflowFailException(str(error)) from error

    def execute(self, context: Context) -> dict[str, Any]:
        """Runs the command; the return value is its result, which Airflow keeps as XCom."""
        from console.airflow.command import CommandMissing, CustodyProcess

        arguments = [*self.command]
        if self.dated:
            arguments += ["--date", self._validated_date().isoformat()]
        arguments.append("--json")
        try:
            self._process = CustodyProcess(arguments)
        except CommandMissing as error:
            raise AirflowFailException(str(error)) from error
        self.log.info("custody %s", " ".join(arguments))
        outcome = self._process.run(self.log.info)
        result = self._judged(outcome)
        for outlet in self.outlets:
            if isinstance(outlet, Asset) and self.dated:
                event = context["outlet_events"][outlet]
                event.extra = {KEY: self.custody_date}
                # One run downstream for each custody date: plain events of two dates may be merged into one run.
                event.add_partitions(str(self.custody_date))
        return result

    def on_kill(self) -> None:
        """Ends the command and all its children when the task is stopped or times out."""
        if self._process is not None:
            self._process.terminate()

    def _validated_date(self) -> date:
        try:
            return parse_custody_date(self.custody_date, today_utc8())
        except NoCustodyDate as error:
            raise AirflowFailException(str(error)) from error

    def _judged(self, outcome: Outcome) -> dict[str, Any]:
        from console.airflow.command import BAD_INPUT, DONE, FINDINGS, RETRY_LATER

        said = f"custody {' '.join(self.command)}: exit {outcome.exit_code}; {outcome.last_line or 'no output'}"
        if outcome.exit_code == BAD_INPUT:
            raise AirflowFailException(f"{said}; a person must put it right, a retry cannot / 需人工处理，重试无效")
        if outcome.exit_code == RETRY_LATER:
            raise AirflowException(f"{said}; retry later / 稍后重试")
        if outcome.exit_code not in (DONE, FINDINGS) or outcome.result is None:
            raise AirflowException(f"{said}; not a result of the command: it crashed or was killed / 命令异常终止")
        if outcome.exit_code == FINDINGS:
            self.log.warning("%s; done, WITH FINDINGS that need a person / 已完成，有待人工处理的事项", said)
        else:
            self.log.info("%s; done / 已完成", said)
        return outcome.result
