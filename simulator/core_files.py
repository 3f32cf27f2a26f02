"""The bank core's flows and balances of each date, as JSON lines. Each block writes its part; parts are joined in order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from custody.names import platform_of
from simulator.edits import BookedPosting, CoreEdit, FaultPlan, apply_core_edits, apply_e_edits, shown_balance
from simulator.movement import CURRENCY, CoreBalance, CoreFlow, DayTruth, PlatformDay

CORE = "CORE"
_NAMES = ("flow.jsonl", "balance.jsonl")


@dataclass
class CoreFiles:
    """What the core shows of some platforms' accounts. Call ``write_day`` for each date in order: a balance that departs from
    the truth by a fault carries the difference on."""

    out: Path
    part: int
    plan: FaultPlan
    flows: int = 0
    _shift: dict[str, int] = field(default_factory=dict)
    _held: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def write_day(self, truth: DayTruth) -> None:
        edits = [edit for edit in self.plan.core.get(truth.day, []) if platform_of(edit.account) in truth.platforms]
        true_flows = [flow for platform in truth.platforms.values() for flow in platform.core_flows]
        balances = [balance for platform in truth.platforms.values() for balance in platform.core_balances]
        flow_lines, shift = _flow_lines(truth.day, true_flows, edits)
        balance_lines = list(self._balance_lines(truth.day, balances, shift, edits))
        for platform in truth.platforms.values():
            if platform.e_balances:
                more_flows, more_balances = self._e_lines(truth.day, platform, edits)
                flow_lines += more_flows
                balance_lines += more_balances
        self.flows += len(flow_lines)
        for name, rows in zip(_NAMES, (flow_lines, balance_lines), strict=True):
            text = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
            _part(self.out, truth.day, name, self.part).write_text(text, encoding="utf-8")

    def _e_lines(
        self, day: date, platform: PlatformDay, edits: list[CoreEdit]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows and balances of the platform's e-accounts. An account that only a fault made stands there while it holds anything."""
        mine = [edit for edit in self.plan.e_core.get(day, []) if edit.platform == platform.platform]
        booked, shift = apply_e_edits(platform.e_flows, [edit for edit in mine if edit.action != "silent"])
        known = {balance.account for balance in platform.e_balances}
        of = f"{platform.platform}."
        faulty = {a for a in (*shift, *(a for a, minor in self._shift.items() if minor and a.startswith(of))) if a not in known}
        balances = [*platform.e_balances, *(CoreBalance(account, 0, 0) for account in sorted(faulty))]
        stands = {b.account: shown_balance(b, self._shift.get(b.account, 0), 0, edits).opening_minor for b in balances}
        balance_lines = list(self._balance_lines(day, balances, shift, edits))
        flow_lines, numbers = list[dict[str, Any]](), dict[str, int]()
        for posting in booked:
            account = posting.flow.account
            numbers[account] = numbers.get(account, 0) + 1
            stands[account] += posting.flow.signed_minor
            flow_lines.append(_posting_line(day, posting, numbers[account], stands[account]))
        held, self._held[platform.platform] = self._held.get(platform.platform, []), list[dict[str, Any]]()
        if any(edit.action == "silent" for edit in mine):
            # What is not shown in time stands in the core's table a day later.
            self._held[platform.platform] = [*held, *flow_lines]
            return [], []
        return [*held, *flow_lines], balance_lines

    def _balance_lines(
        self, day: date, balances: list[CoreBalance], shift: dict[str, int], edits: list[CoreEdit]
    ) -> Iterator[dict[str, Any]]:
        for balance in balances:
            before = self._shift.get(balance.account, 0)
            after = before + shift.get(balance.account, 0)
            self._shift[balance.account] = after
            shown = shown_balance(balance, before, after, edits)
            yield {
                "account": balance.account,
                "custody_date": day.isoformat(),
                "opening_minor": shown.opening_minor,
                "closing_minor": shown.closing_minor,
                "currency": CURRENCY,
            }


def _posting_line(day: date, booked: BookedPosting, sequence: int, after_minor: int) -> dict[str, Any]:
    flow = booked.flow
    return {
        "account": flow.account,
        "custody_date": day.isoformat(),
        "seq": sequence,
        "request_no": flow.request_no,
        "leg": flow.leg,
        "way": flow.way,
        "txn_type": flow.txn_type,
        "amount_minor": flow.amount_minor,
        "flag": flow.flag,
        "currency": flow.currency,
        "balance_after_minor": after_minor + booked.off_minor,
        "standing": flow.standing,
        "counterparty": flow.counterparty,
        "narrative": flow.txn_type,
        "booked_at": flow.booked_at.isoformat(),
    }


def _flow_lines(day: date, true_flows: list[CoreFlow], edits: list[CoreEdit]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    flows, shift = apply_core_edits(true_flows, edits)
    numbers: dict[str, int] = {}
    lines = []
    for booked in flows:
        flow = booked.flow
        numbers[flow.account] = numbers.get(flow.account, 0) + 1
        lines.append(
            {
                "account": flow.account,
                "custody_date": day.isoformat(),
                "seq": numbers[flow.account],
                "amount_minor": flow.amount_minor,
                "currency": booked.currency or CURRENCY,
                "core_ref": flow.core_ref,
                "counterparty": flow.counterparty,
                "narrative": flow.narrative,
                "booked_at": flow.booked_at.isoformat(),
            }
        )
    return lines, shift


def join_parts(out: Path, days: Iterable[date], parts: int) -> None:
    """One file of flows and one of balances for each date, out of the blocks' parts, which go."""
    for day in days:
        for name in _NAMES:
            paths = [_part(out, day, name, number) for number in range(1, parts + 1)]
            with paths[0].open("ab") as whole:
                for path in paths[1:]:
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, whole)
                    path.unlink()
            paths[0].rename(out / day.isoformat() / CORE / name)


def _part(out: Path, day: date, name: str, number: int) -> Path:
    return out / day.isoformat() / CORE / f"{name}.{number:02d}"
