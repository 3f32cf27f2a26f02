"""`make up` and `make down`: the demo's instance with its SFTP drop and Airflow's services on this machine, no root needed.

The demo's days stand committed; Airflow's scheduler plays them again by the calendar, from the first to the last, so that
there are runs, assets and logs to look at. Each step returns its seal: nothing of the instance changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from cluster.airflow import Airflow
from cluster.airflow_client import NotInTime
from cluster.daemon import Daemon, ServiceFailed
from cluster.machine import MachineLacks, Ports, listens
from connectors.settings import HOME_VARIABLE, load_settings
from console.airflow.command import custody_executable
from console.airflow.dates import FIRST_DATE_VARIABLE, LAST_DATE_VARIABLE
from console.demo import DAGS, DAYS, START
from custody.errors import CustodyError
from custody.permissions import Duty

_SFTP_SECONDS = 30
_DAGS_SECONDS = 120
_FAILED = 2


class Local:
    """What runs under ``build``/up on the instance that the demo made under ``build``/demo."""

    def __init__(self, build: Path) -> None:
        self._demo = build / "demo"
        self._folder = build / "up"
        self.home = self._demo / "home"
        environment = {
            FIRST_DATE_VARIABLE: START.isoformat(),
            LAST_DATE_VARIABLE: (START + timedelta(days=DAYS - 1)).isoformat(),
        }
        database = f"sqlite:///{self._folder / 'airflow' / 'airflow.db'}"
        self.airflow = Airflow(self._folder, Ports(self._folder), database, self.home, environment)
        self.sftp = Daemon("sftp", self._folder, [custody_executable(), "serve-sftp"], {HOME_VARIABLE: str(self.home)})

    @property
    def _played(self) -> Path:
        """Marks that the days were played once; it goes with Airflow's state."""
        return self._folder / "airflow" / "days_played"

    @property
    def _made(self) -> Path:
        """The last file that a demo leaves."""
        return self._demo / "summary.json"

    def up(self) -> None:
        """Start what does not run. Raises ServiceFailed, MachineLacks, CustodyError."""
        if not self._made.exists():
            subprocess.run([custody_executable(), "demo"], check=False)
            if not self._made.exists():
                raise ServiceFailed("the demo left no instance to look at; its words above say why")
        self._forget_an_earlier_demo()
        self.sftp.start()
        port = load_settings(self.home).sftp.port
        self.sftp.wait_until(lambda: listens(port), _SFTP_SECONDS)
        print("Airflow starts, a minute or so / 正在启动 Airflow …", flush=True)
        self.airflow.start()
        self._play_the_days()

    def down(self) -> None:
        """Stop it all; nothing running is fine."""
        if self._folder.exists():
            self.airflow.stop()
            self.sftp.stop()

    def _forget_an_earlier_demo(self) -> None:
        """Airflow's runs belong to the instance that they ran on: with a new one, its state is made anew."""
        state = self._folder / "airflow"
        ours = self.airflow.passwords_file
        if ours.exists() and ours.stat().st_mtime < self._made.stat().st_mtime and self.airflow.healthy() is not None:
            self.airflow.stop()
            shutil.rmtree(state)

    def _play_the_days(self) -> None:
        """Unpause the DAGs once. What a person has paused since stays paused, and his password may be another by then."""
        if self._played.exists():
            return
        client = self.airflow.client(self._somebody(Duty.OPERATOR))
        client.wait_for_dags(DAGS, _DAGS_SECONDS)
        for dag_id in DAGS:
            client.unpause(dag_id)
        self._played.touch()

    def _somebody(self, duty: Duty) -> str:
        return next(str(p["person_id"]) for p in self.airflow.people() if p["active"] and duty in p["duties"])

    def words(self) -> str:
        """Where to look, and who may."""
        passwords = self.airflow.passwords()
        lines = [f"Airflow: {self.airflow.url}", "", f"   {'user 用户':<12}{'password 口令':<22}duties 岗位"]
        lines += [
            f"   {p['person_id']:<14}{passwords[p['person_id']]:<24}{', '.join(p['duties'])}"
            for p in self.airflow.people()
            if p["active"]
        ]
        lines += [
            f"   (first passwords, also in {_shown(self.airflow.passwords_file)})",
            "",
            "Look at / 看点:",
            f"   the day, in the menu on the left / 账务日页面        {self.airflow.url}/plugin/custody-day",
            f"   the days being played again by the scheduler / 重放  {self.airflow.url}/dags/custody_day",
            f"   by the command line / 命令行                         export CUSTODY_HOME={_shown(self.home)}",
            "   a file that a platform sends over SFTP is taken by file_intake every ten minutes",
            "Stop it with / 停止:  make down",
        ]
        return "\n".join(lines)


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def main() -> int:
    if sys.argv[1:] not in (["up"], ["down"]):
        print("python -m cluster.local up|down", file=sys.stderr)
        return _FAILED
    local = Local(Path.cwd() / "build")
    try:
        if sys.argv[1] == "up":
            local.up()
            print(local.words())
        else:
            local.down()
    except (MachineLacks, ServiceFailed, NotInTime, CustodyError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return _FAILED
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
