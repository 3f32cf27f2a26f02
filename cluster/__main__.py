"""``python -m cluster up|status|down [--name NAME]``: the real parts on this machine, without containers.

``packages`` prints the Debian packages that the machine lacks for them.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.cluster import Cluster
from cluster.daemon import ServiceFailed
from cluster.machine import MachineLacks
from cluster.programs import missing_packages
from custody.errors import CustodyError

_NAME = "default"
# The demonstration's market starts here (console.demo).
_GO_LIVE = "2019-12-30"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    parser.add_argument("command", choices=["up", "status", "down", "packages"])
    parser.add_argument("--name", default=_NAME, help="several clusters may run on one machine 集群名")
    parser.add_argument("--bank", default="示范银行 Example Bank", help="of a new instance 银行名称")
    parser.add_argument("--go-live", type=date.fromisoformat, default=_GO_LIVE, help="of a new instance, YYYY-MM-DD 首个账务日")
    parser.add_argument("--last-date", type=date.fromisoformat, help="the schedule's last, for a market of the past 末日")
    asked = parser.parse_args()
    if asked.command == "packages":
        print(*missing_packages())
        return 0
    screen, started = Console(), time.monotonic()

    def say(words: str) -> None:
        screen.print(f"[cyan]{time.monotonic() - started:6.1f} s[/]  {escape(words)}")

    try:
        cluster = Cluster(asked.name, asked.last_date)
        if asked.command == "up":
            cluster.up(asked.bank, asked.go_live, say)
            _show(cluster, screen)
        elif asked.command == "down":
            cluster.down(say)
            screen.print("Stopped; nothing is left behind. 已停止，未留下任何内容")
        else:
            return _status(cluster, screen)
    except (MachineLacks, ServiceFailed, CustodyError) as error:
        screen.print(f"[bold red]{type(error).__name__}[/]: {escape(str(error))}", highlight=False)
        return 2
    return 0


def _status(cluster: Cluster, screen: Console) -> int:
    health = cluster.health()
    table = Table(title=f"cluster {cluster.name} 集群")
    table.add_column("part 组件")
    table.add_column("state 状态")
    for name, why in health.items():
        table.add_row(name, "[green]usable 可用[/]" if why is None else f"[red]{escape(why)}[/]")
    screen.print(table)
    return 0 if all(why is None for why in health.values()) else 1


def _show(cluster: Cluster, screen: Console) -> None:
    sftp = cluster.settings.sftp
    screen.print(
        f"\n[bold]Airflow[/]  {cluster.airflow.url}   (names and first passwords 用户及初始口令: {cluster.airflow.passwords_file})"
    )
    screen.print(f"[bold]SFTP[/]     {sftp.host} port {sftp.port}, log-in name {sftp.account('PARTY')}")
    screen.print("[bold]Next 接着[/]  the commands of the README work on it:", highlight=False)
    screen.print(
        f"   export CUSTODY_HOME={cluster.home} PATH={Path(sys.executable).parent}:$PATH", soft_wrap=True, highlight=False
    )
    screen.print("   make cluster-status, make cluster-down", highlight=False)


if __name__ == "__main__":
    raise SystemExit(main())
