"""``custody demo`` (``make demo``): a whole little market for four custody days, over SFTP and through Airflow, and what came of it.

Everything lives under build/demo and is made anew each time, so the demo can be run again and again. It starts the SFTP
drop itself and stops it; no other server runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from connectors.bootstrap import Wiring, wire
from connectors.drop_server import DropServer
from connectors.loopback import LOOPBACK, free_port
from connectors.settings import FILE_NAME, load_settings
from connectors.sftp_drop import PartyClient
from connectors.ssh_keys import make_key, public_key_line
from console.airflow.command import CustodyProcess, use_launcher
from console.airflow.day_runner import run_dags
from console.airflow.preloaded import launch_preloaded
from console.fee_view import standing
from console.report_release import SealedDrafts, report_files
from console.scoring import found_items
from custody.calendar import dates
from custody.counting import counted
from custody.money import format_amount
from custody.services.four_eyes import approve
from custody.services.releases import RELEASE, ReportKey, propose_release
from simulator.score import score

# 2020-01-01 is the holiday: what was paid on the 31st settles on the 2nd. The year's last day ends the reported month.
START = date(2019, 12, 30)
DAYS = 4
MONTH_END = date(2019, 12, 31)
# January's first bank business day: December's custody fees are charged, and the core answers on it.
CHARGE_DAY = date(2020, 1, 2)
SEED = 7
_REG, _REPORTING, _MOST_BYTES = "REG", "regulator", 50_000_000
DAGS = ("file_intake", "custody_day", "custody_fees", "risk_alerts", "regulatory_reports", "platform_results")


def main() -> int:
    started = time.monotonic()
    root, build = Path.cwd(), Path.cwd() / "build" / "demo"
    screen = Console()
    use_launcher(launch_preloaded)
    screen.print(Panel.fit("[bold]Fund supervision: four custody days[/] / 资金存管监管：四个账务日", border_style="cyan"))
    _prepare(build, root, screen)
    world, home = build / "world", build / "home"
    with DropServer(load_settings(home)):
        for on in dates(START, DAYS):
            if on == CHARGE_DAY:
                _charge_fees(on, screen)
                _answer(build, home, screen)
            screen.print(f"[bold cyan]{on}[/]  {'parties deliver over SFTP / 各机构经 SFTP 报送'}")
            _custody("deliver", "--from", str(world), "--date", on.isoformat())
            for dag_id, state, seconds in run_dags(DAGS, on):
                if state != "success":
                    screen.print(
                        f"[bold red]{dag_id} of {on} ended {state} after {seconds:.0f} s[/]; see build/demo/airflow/logs"
                    )
                    return 1
            if on == MONTH_END:
                _release(home, screen)
    wiring = wire(home)
    try:
        summary = _summary(wiring, world)
    finally:
        wiring.close()
    summary["seconds"] = round(time.monotonic() - started)
    (build / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    _show(screen, summary, build)
    whole = summary["proof"] is True and summary["found"] == summary["planted"]
    return 0 if whole else 1


def _prepare(build: Path, root: Path, screen: Console) -> None:
    """A fresh world and a fresh instance; Airflow's own database is kept from the last run, since it only has history."""
    _refuse_while_served(build / "home")
    for name in ("world", "home", _REPORTING):
        shutil.rmtree(build / name, ignore_errors=True)
    build.mkdir(parents=True, exist_ok=True)
    airflow = build / "airflow"
    os.environ.update(
        {
            "CUSTODY_HOME": str(build / "home"),
            "CUSTODY_FIRST_DATE": START.isoformat(),
            "AIRFLOW_HOME": str(airflow),
            "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow}/airflow.db",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
    )
    migration = None
    if not (airflow / "airflow.db").exists():
        screen.print("Airflow makes its database / Airflow 初始化数据库 …")
        airflow.mkdir(parents=True, exist_ok=True)
        with (build / "airflow_migrate.log").open("wb") as log:
            migration = subprocess.Popen(["airflow", "db", "migrate"], stdout=log, stderr=subprocess.STDOUT)
    faults = str(root / "tests" / "faults" / "demo.yaml")
    size = ["--platforms", "3", "--channels", "2", "--lenders", "40", "--loans", "8"]
    when = ["--days", str(DAYS), "--start", START.isoformat(), "--seed", str(SEED)]
    made = _custody("simulate", *size, *when, "--faults", faults, "--out", str(build / "world"))
    screen.print(
        f"a world of {counted(made['transactions'], 'movement')} in {counted(made['files'], 'file')}, {counted(made['faults'], 'fault')} planted / 已生成模拟市场"
    )
    _custody("init", "--bank", "示范银行 Example Bank", "--go-live", START.isoformat(), "--sftp-port", str(free_port()))
    _make_reporting_platform(build / _REPORTING)
    onboarded = 0
    for folder in ("world", _REPORTING):
        proposed = _custody("org", "onboard", "--from", str(build / folder), "--as", "maker", "--note", "demo")
        for number in proposed["proposals"].values():
            _custody("proposal", "approve", number, "--as", "checker", "--note", "demo")
        onboarded += len(proposed["proposals"])
    screen.print(f"{counted(onboarded, 'party', 'parties')} onboarded by two people / {onboarded} 家机构经双人复核准入")
    if migration is not None and migration.wait():
        raise SystemExit(f"airflow db migrate failed: see {build / 'airflow_migrate.log'}")


def _refuse_while_served(home: Path) -> None:
    """`make up` serves the last demo's instance: it must not be taken away under it."""
    if (home / FILE_NAME).exists():
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, load_settings(home).sftp.port)) == 0:
                raise SystemExit(f"{home} is being served: stop it first with make down / 请先执行 make down")


def _custody(*arguments: str) -> dict[str, Any]:
    """Run the command line as a person would; its result. Exit 1 (findings) is a result too."""
    said: list[str] = []
    done = CustodyProcess([*arguments, "--json"]).run(said.append)
    if done.exit_code not in (0, 1) or done.result is None:
        raise SystemExit(f"custody {' '.join(arguments)} ended {done.exit_code}:\n" + "\n".join(said))
    return done.result


def _release(home: Path, screen: Console) -> None:
    """The month's report is released by two people, bound to the digest of its sealed draft."""
    wiring = wire(home)
    try:
        key, period = ReportKey("custody_monthly", f"{MONTH_END:%Y-%m}"), f"{MONTH_END:%Y-%m}"
        proposal = propose_release(
            wiring.register, wiring.clock, "maker", key, SealedDrafts(wiring), START, {}, "figures checked"
        )
        approve(wiring.register, wiring.clock, "checker", RELEASE, proposal, "agreed")
    finally:
        wiring.close()
    screen.print(f"   report {period} proposed by maker, released by checker / 报表经双人复核发布")


def _make_reporting_platform(folder: Path) -> None:
    """Where the regulator's reports go; it drops with us, and answers each package (``_answer``)."""
    (folder / "keys").mkdir(parents=True)
    key = folder / "keys" / _REG
    make_key(key)
    key.with_suffix(".pub").write_text(public_key_line(key) + "\n", encoding="utf-8")
    party: dict[str, Any] = {
        "party": _REG, "kind": "REPORTING", "name_en": "Reporting platform", "name_zh": "监管报送平台", "encoding": "utf-8", "layouts": {},
        "dialect": {}, "file_types": [], "core_model": "HUB", "fee_contract": None, "fee_rate": None, "reports": ["*"],
    }  # fmt: skip
    (folder / "world.json").write_text(json.dumps({"parties": [party]}, ensure_ascii=False), encoding="utf-8")


def _answer(build: Path, home: Path, screen: Console) -> None:
    """The reporting platform fetches what lies there and takes it."""
    client = PartyClient(load_settings(home), _REG, build / _REPORTING / "keys" / _REG)
    names = [name for name, _ in client.list_out()]
    packages = [name for name in names if name.endswith(".zip") and f"{name}.seal" in names]
    for name in packages:
        sha256 = hashlib.sha256(client.get(name, _MOST_BYTES)).hexdigest()
        said = {"package": name, "sha256": sha256, "outcome": "ACCEPTED"}
        client.put(f"{name}.receipt.json", json.dumps(said).encode())
    client.close()
    screen.print(
        f"   {len(packages)} report fetched and accepted by the reporting platform / {len(packages)} 份报表已由监管报送平台接收"
    )


def _charge_fees(on: date, screen: Console) -> None:
    """The month's fees are proposed by the fee officer, approved by another, and go to the core, which answers in the day's files."""
    proposed = _custody("fee", "propose", "--date", on.isoformat(), "--as", "fees", "--note", "December")
    for number in proposed["proposals"].values():
        _custody("proposal", "approve", number, "--as", "checker", "--note", "agreed with the accruals")
    tries = _custody("fee", "send", "--date", on.isoformat())["tries"]
    screen.print(f"   {len(tries)} custody fees charged by two people / {len(tries)} 笔存管费经双人复核扣收")


def _summary(wiring: Wiring, world: Path) -> dict[str, Any]:
    planted = json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8"))
    table = score(planted, found_items(wiring)).kinds
    with wiring.register.transaction() as tx:
        files = Counter(f["state"] for f in tx.find("file") if f["file_type"] not in ("SEAL", "UNKNOWN"))
        outputs = {(o["custody_date"], o["step"]): o["path"] for o in tx.find("step_output", ("version",))}
        alerts = tx.find("alert", ("raised_on", "alert_id"))
        cases = tx.find("recon_case", ("platform", "kind", "case_id"))
    proofs = [r for (_, step), path in sorted(outputs.items()) if step == "reconcile" for r in wiring.lake.rows(path, "proof")]
    buckets = ("matched", "broken", "carried", "rejected")
    fees: Counter[str] = Counter()
    for (_, step), path in outputs.items():
        if step == "fees":
            for row in wiring.lake.rows(path, "fee_accruals"):
                fees[row["platform"]] += row["gross_minor"]
    refused = files["REFUSED"] + files["QUARANTINED"]
    failing = [f"{p['relation']}/{p['side']}" for p in proofs if not p["holds"]]
    return {
        "files": {"taken": sum(files.values()) - refused, "refused": refused},
        "rows": {b: sum(p[b] for p in proofs) for b in buckets},
        "proof": failing or True,
        "planted": table["total"]["planted"],
        "found": table["total"]["found"],
        "false": table["total"]["false"],
        "score": table,
        "breaks": [{"platform": p, "kind": k, "cases": n, "open": o} for (p, k), (n, o) in sorted(_case_counts(cases).items())],
        "alerts": [
            {"rule": a["rule"], "platform": a["platform"], "subject": a["subject"], "words": a["words_en"]} for a in alerts
        ],
        "fees": {p: format_amount(f) for p, f in sorted(fees.items())},
        "collected": {p.platform: format_amount(p.collected_minor) for p in standing(wiring)},
        "reports": [r["path"] for r in report_files(wiring)],
        "proof_rows": proofs,
    }


def _case_counts(cases: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, int]]:
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for case in cases:
        total, still = counts.get((case["platform"], case["kind"]), (0, 0))
        counts[case["platform"], case["kind"]] = (total + 1, still + (case["state"] != "CLOSED"))
    return counts


def _show(screen: Console, summary: dict[str, Any], build: Path) -> None:
    proof = summary.pop("proof_rows")
    files, rows = summary["files"], summary["rows"]
    screen.print()
    screen.print(f"[bold]Files / 文件[/]  taken 接收 [green]{files['taken']}[/]  refused 拒收 [red]{files['refused']}[/]")
    table = Table(title="Every row in one bucket: the completeness proof, four days / 完整性证明")
    # "in" and "out" are what was carried from and to another day; short names, so that a screen of 80 columns holds them.
    for name in ("relation", "side", "in", "new", "matched", "break", "out", "bad", "trailer", "ok"):
        table.add_column(name, justify="right" if name not in ("relation", "side") else "left", no_wrap=True)
    sides = sorted({(p["relation"], p["side"]) for p in proof})
    for relation, side in sides:
        own = [p for p in proof if (p["relation"], p["side"]) == (relation, side)]
        sums = [sum(p[c] for p in own) for c in ("carried_in", "new", "matched", "broken", "carried", "rejected", "trailer_rows")]
        holds = "[green]yes[/]" if all(p["holds"] for p in own) else "[bold red]NO[/]"
        table.add_row(relation, side, *(f"{n:,}" for n in sums), holds)
    screen.print(table)
    table = Table(title="Planted and found / 植入与检出")
    for name in ("fault", "planted", "found", "false"):
        table.add_column(name, justify="left" if name == "fault" else "right")
    for kind, line in summary["score"].items():
        whole = line["planted"] == line["found"] and not line["false"]
        style = ("bold " if kind == "total" else "") + ("green" if whole else "red")
        table.add_row(f"[{style}]{kind}[/]", str(line["planted"]), str(line["found"]), str(line["false"]))
    screen.print(table)
    table = Table(title="Cases by platform and kind / 差错案件")
    for name in ("party", "kind", "cases", "still open"):
        table.add_column(name, justify="left" if name in ("party", "kind") else "right")
    for line in summary["breaks"]:
        table.add_row(line["platform"], line["kind"], str(line["cases"]), str(line["open"]))
    screen.print(table)
    screen.print(f"[bold]Alerts / 预警[/]  {len(summary['alerts'])}")
    for alert in summary["alerts"][:6]:
        screen.print(f"   [yellow]{alert['rule']}[/] {alert['platform']} {alert['words']}")
    accrued = "  ".join(f"{p} {amount}" for p, amount in summary["fees"].items())
    screen.print(f"[bold]Custody fees accrued, CNY with VAT / 计提存管费（含税）[/]  {accrued}")
    collected = "  ".join(f"{p} {amount}" for p, amount in summary["collected"].items())
    screen.print(f"[bold]Of December's charge the core has collected / 已扣收十二月存管费[/]  {collected}")
    screen.print("[bold]Reports / 报表[/]")
    # A line for each day: of its files there are a hundred.
    for folder, files_there in sorted(Counter(Path(path).parent for path in summary["reports"]).items()):
        screen.print(f"   {files_there} files 个文件  {folder.relative_to(build.parent.parent)}", soft_wrap=True)
    verdict = "[bold green]yes[/]" if summary["proof"] is True else f"[bold red]{summary['proof']}[/]"
    screen.print(
        f"[bold]{summary['found']} of {summary['planted']} planted faults found, {summary['false']} false; "
        f"rows matched {rows['matched']:,}, in breaks {rows['broken']:,}, carried {rows['carried']:,}, "
        f"rejected {rows['rejected']:,}; proof holds: {verdict}; {summary['seconds']} s[/]"
    )
    screen.print(
        "Next / 接着看:  export CUSTODY_HOME=build/demo/home;  .venv/bin/custody day status;  .venv/bin/custody case list"
    )
