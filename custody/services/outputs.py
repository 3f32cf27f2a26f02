"""What the steps have committed: the register's ``step_output`` rows, newest version first in force (design.md §2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from custody.ports import RegisterTx, Row
from custody.steps import STEPS


@dataclass(frozen=True)
class Seal:
    """One committed step output."""

    custody_date: date
    step: str
    version: int
    manifest_digest: str
    path: str


def seal_of(row: Row) -> Seal:
    return Seal(row["custody_date"], row["step"], row["version"], row["manifest_digest"], row["path"])


def seals_of_day(tx: RegisterTx, custody_date: date) -> dict[str, Seal]:
    """The newest committed version of each step of one date, by step, in the order of the steps."""
    rows = tx.find("step_output", order_by=["version"], custody_date=custody_date)
    newest = {row["step"]: seal_of(row) for row in rows}
    return {step: newest[step] for step in STEPS if step in newest}


def latest_seal(tx: RegisterTx, custody_date: date, step: str) -> Seal | None:
    return seals_of_day(tx, custody_date).get(step)


def newest_seals(tx: RegisterTx, step: str) -> list[Seal]:
    """The newest committed version of one step of every date, in order of date."""
    rows = tx.find("step_output", order_by=["custody_date", "version"], step=step)
    return list({row["custody_date"]: seal_of(row) for row in rows}.values())


def seals_of_step(tx: RegisterTx, step: str, of: Sequence[date]) -> dict[date, Seal]:
    """The same of these dates, by date."""
    rows = tx.find("step_output", order_by=["version"], step=step, custody_date=list(of))
    return {row["custody_date"]: seal_of(row) for row in rows}


def days_begun(tx: RegisterTx) -> list[date]:
    """Every custody date that was cut off, in order."""
    return [on for (on,) in tx.count("step_output", ["custody_date"], step="cut_off")]
