"""What commands did, as JSON lines that the bank's log collector reads: one file a day (UTC) in ``log.folder`` of the settings.

Each line says ``at`` (UTC), ``level``, ``event``, ``run`` (the same for all lines of one command), ``command`` (the program's own name for it), in
a task of Airflow's ``task``, and what the event is about: ``custody_date``, ``step``, ``party``, ``file`` and its ``sha256``. What a person did stands in
the audit chain; this is for whoever watches the machine. Numbers that name a person are masked, whoever logs them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars

from connectors.settings import Settings
from custody.errors import CustodyError
from custody.masking import mask_user_numbers

_SUFFIX = ".jsonl"
# Airflow's own words for where a task stands.
_TASK = ("AIRFLOW_CTX_DAG_ID", "AIRFLOW_CTX_DAG_RUN_ID", "AIRFLOW_CTX_TASK_ID", "AIRFLOW_CTX_TRY_NUMBER")


def _masked(_logger: object, _level: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: mask_user_numbers(value) if isinstance(value, str) else value for name, value in said.items()}


def _one_line(said: object, **_: object) -> str:
    return json.dumps(said, ensure_ascii=False, sort_keys=True, default=str)


class _Lines:
    """Takes finished lines. Several processes write the same file: each line goes to its end in one write."""

    def __init__(self, settings: Settings) -> None:
        self._folder, self._keep_days = settings.path(settings.log.folder), settings.log.keep_days

    def msg(self, line: str) -> None:
        today = datetime.now(UTC).date()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{today}{_SUFFIX}"
            if not path.exists():
                forget(self._folder, today - timedelta(days=self._keep_days))
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                os.write(handle, f"{line}\n".encode())
            finally:
                os.close(handle)
        except OSError as error:
            # A log that cannot be written stops no day; who watches the task sees it.
            print(f"the log in {self._folder} cannot be written: {error}", file=sys.stderr, flush=True)

    info = warning = error = msg


def forget(folder: Path, before: date) -> None:
    """Remove the log of earlier days."""
    for path in folder.glob(f"????-??-??{_SUFFIX}"):
        if path.name < before.isoformat():
            path.unlink(missing_ok=True)


def log_of(settings: Settings) -> structlog.typing.FilteringBoundLogger:
    """``log_of(settings).info("step", custody_date=...)``: a line."""
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        _Lines(settings),
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            _masked,
            structlog.processors.JSONRenderer(_one_line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return logger


@contextmanager
def logged(settings: Settings) -> Iterator[None]:
    """A command's beginning and its end, with how long it took, or with what stopped it."""
    log, began = log_of(settings), time.monotonic()
    task = {"task": "/".join(os.environ.get(name, "") for name in _TASK)} if _TASK[0] in os.environ else {}
    with bound_contextvars(run=uuid4().hex[:12], **task):
        log.info("began")
        try:
            yield
        except CustodyError as error:
            log.error("stopped", error=type(error).__name__, words=str(error), seconds=_since(began))
            raise
        except Exception:
            log.error("broken", seconds=_since(began), exc_info=True)
            raise
        log.info("ended", seconds=_since(began))


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
