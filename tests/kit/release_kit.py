"""Drafts of reports whose figures a test chooses, sealed by the commit protocol, and a reporting platform that gets them and answers."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from instance_kit import MemoryDrop
from typer.testing import CliRunner

from connectors.bootstrap import Wiring
from connectors.ssh_keys import make_key, public_key_line
from console.cli import app
from console.report_release import SealedDrafts, send
from custody.calendar import ONE_DAY
from custody.services.access import SYSTEM
from custody.services.four_eyes import approve
from custody.services.organisations import ONBOARD, propose_party
from custody.services.releases import RELEASE, ReportKey, newest, propose_release
from custody.steps import STEPS
from jobs.report import STEP as REPORT
from jobs.step import Step, StepContext, run_step
from reports.csv_file import csv_bytes
from reports.naming import ReportName
from reports.seal import make_seal

MONTH_END = date(2019, 12, 31)
KEY = ReportKey("custody_monthly", "2019-12")
REG = "REG"
REPORTING = {"encoding": "utf-8", "layouts": {}, "dialect": {}, "file_types": [], "core_model": "HUB", "reports": ["*"]}
# platform -> figure -> value; "" is the whole bank
Figures = Mapping[str, Mapping[str, int]]


def begin(home: Path, go_live: date = MONTH_END) -> None:
    command = ["init", "--bank", "b", "--go-live", go_live.isoformat(), "--sftp-port", "2222"]
    assert CliRunner().invoke(app, command, env={"CUSTODY_HOME": str(home)}).exit_code == 0


def day(wiring: Wiring, on: date, figures: Figures | None = None, close: bool = True, earlier: Figures | None = None) -> None:
    """A custody date of which nothing is known but its reports."""
    for name in STEPS:
        if name == "report":
            draft(wiring, figures or {}, on=on, earlier=earlier)
        elif name != "close" or close:
            run_step(wiring, Step(name, lambda _: None), on, SYSTEM)


def draft(wiring: Wiring, figures: Figures, reason: str = "", on: date = MONTH_END, earlier: Figures | None = None) -> None:
    """Seal a monthly report of these figures as the date's report step, none where there are none; and one of the month before."""

    def run(context: StepContext) -> None:
        assert context.writer is not None
        posts = [seal for seal in context.seals_of("post") if seal.custody_date >= on.replace(day=1)]
        inputs: list[dict[str, str | int]] = [
            {
                "custody_date": s.custody_date.isoformat(),
                "step": s.step,
                "version": s.version,
                "manifest_digest": s.manifest_digest,
            }
            for s in [*posts, context.seal("reconcile")]
            if s is not None
        ]
        found: list[Any] = []
        for period, of in ((f"{on:%Y-%m}", figures), (f"{on.replace(day=1) - ONE_DAY:%Y-%m}", earlier or {})):
            if not of:
                continue
            name = ReportName(KEY.report_id, period, "", 2)
            rows = list(_rows(name, of))
            lines = [(row["table_id"], row["key"], row["figure"], str(row["value"])) for row in rows]
            files = {name.file(".csv"): csv_bytes(("table", "key", "figure", "value"), lines)}
            for file, data in files.items():
                context.writer.file(file, data)
            context.writer.file(name.file("_seal.json"), make_seal(files, inputs, KEY.report_id, period))
            found += rows
        if found:
            context.write("report_figures", found)

    run_step(wiring, Step("report", run, REPORT.publish), on, SYSTEM, reason)


def _rows(name: ReportName, figures: Figures) -> Any:
    for at, (platform, values) in enumerate(sorted(figures.items())):
        for column, (figure, value) in enumerate(sorted(values.items())):
            table, key = ("platforms", [platform]) if platform else ("summary", [])
            unit = "amount" if figure in ("volume", "loan_balance", "custody_customers") else "count"
            yield {
                "report": name.report, "version": name.version, "period": name.period, "party": name.party, "table_id": table,
                "key": json.dumps(key), "is_total": False, "figure": figure, "unit": unit, "value": value,
                "file_name": name.file(".xlsx"), "cell": f"{table}!{chr(66 + column)}{5 + at}",
            }  # fmt: skip


def onboard(wiring: Wiring, folder: Path, party: str = REG, **terms: object) -> None:
    """A reporting platform, live at once."""
    make_key(folder / party)
    proposal = propose_party(
        wiring.register, wiring.clock, "maker", party, "REPORTING", "Reporting platform", "监管报送平台", {**REPORTING, **terms},
        public_key_line(folder / party), "first", live_untested=True,
    )  # fmt: skip
    approve(wiring.register, wiring.clock, "checker", ONBOARD, proposal, "first")


def proposed(wiring: Wiring, actor: str = "maker", said: Mapping[str, str] | None = None, key: ReportKey = KEY) -> str:
    go_live = wiring.settings.instance.go_live
    return propose_release(
        wiring.register, wiring.clock, actor, key, SealedDrafts(wiring), go_live, said or {}, "figures checked"
    )


def released(wiring: Wiring, said: Mapping[str, str] | None = None) -> None:
    approve(wiring.register, wiring.clock, "checker", RELEASE, proposed(wiring, said=said), "agreed")


def state(wiring: Wiring, key: ReportKey = KEY) -> str:
    with wiring.register.transaction() as tx:
        return str(newest(tx, key)["state"])


@dataclass
class Regulator:
    """The other side of the drop: what lies there, and what it answers."""

    drop: MemoryDrop
    party: str = REG

    def packages(self) -> dict[str, bytes]:
        return dict(sorted(self.drop.sent.get(self.party, {}).items()))

    def opened(self, name: str) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.packages()[name])) as archive:
            return {one: archive.read(one) for one in archive.namelist()}

    def answer(self, name: str, outcome: str, reason: str = "", **other: str) -> None:
        said = {
            "package": name,
            "sha256": hashlib.sha256(self.packages()[name]).hexdigest(),
            "outcome": outcome,
            "reason": reason,
        }
        self.drop.put(self.party, f"{name}.receipt.json", json.dumps({**said, **other}).encode())


def sent(wiring: Wiring, on: date = date(2020, 1, 2)) -> dict[str, Any]:
    return send(wiring, on, SYSTEM)
