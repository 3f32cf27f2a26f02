"""Airflow's four services with FAB users: API server, scheduler with LocalExecutor, DAG processor, triggerer."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from cluster.airflow_client import AirflowClient, AirflowRefused, health
from cluster.daemon import Daemon, ServiceFailed
from cluster.machine import Ports
from connectors.archive import write_durably
from connectors.bootstrap import wire
from connectors.loopback import LOOPBACK
from connectors.settings import HOME_VARIABLE
from console.airflow.dates import FIRST_DATE_VARIABLE
from console.airflow.pools import DAY as POOL
from custody.ports import Row
from custody.services.people import people

_DAGS = Path(__file__).parent.parent / "dags"
# Not imported here: it reads the instance's directory.toml.
_FAB_CONFIG = Path(__file__).parent.parent / "console" / "airflow" / "fab_config.py"
_START_SECONDS = 180
# Migration, and making the users: seconds each on an idle machine, a minute on a busy one.
_PREPARE_SECONDS = 300
# A task that is told to end passes it on to its command, which has 20 s (console.airflow.command).
_STOP_SECONDS = 40.0
_SAID_LINES = 25
# Airflow's name of each service in its health answer; the scheduler is stopped first, the API that the others use last.
_SERVICES = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer", "api-server": "metadatabase"}
_AUTH_MANAGER = "console.airflow.auth_manager.CustodyAuthManager"


class Airflow:
    """One Airflow for the instance in ``custody_home``, on a loopback port, with its state under ``folder``/airflow.

    ``database_url``: sqlite:////FILE or postgresql+psycopg2://... (Airflow derives the asynchronous one itself).
    ``environment``: more for services and tasks; CUSTODY_FIRST_DATE must be in it. ``parallelism``: tasks that run at a time.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        database_url: str,
        custody_home: Path,
        environment: Mapping[str, str],
        parallelism: int = 4,
    ) -> None:
        if FIRST_DATE_VARIABLE not in environment:
            raise ValueError(f"the DAGs need {FIRST_DATE_VARIABLE}")
        self._folder = folder / "airflow"
        self._ports = ports
        self._database_url = database_url
        self._custody_home = custody_home
        self._more = dict(environment)
        self._parallelism = parallelism

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._ports['airflow']}"

    @property
    def passwords_file(self) -> Path:
        """First passwords by person, readable by the owner alone; a person may have changed his since."""
        return self._folder / "passwords.json"

    def passwords(self) -> dict[str, str]:
        known: dict[str, str] = json.loads(self.passwords_file.read_text(encoding="utf-8"))
        return known

    def client(self, person_id: str) -> AirflowClient:
        return AirflowClient(self.url, person_id, self.passwords()[person_id])

    def people(self) -> list[Row]:
        """The instance's people: who may log in, and the duties from which their roles come."""
        wiring = wire(self._custody_home)
        try:
            with wiring.register.transaction() as tx:
                return people(tx)
        finally:
            wiring.close()

    @cached_property
    def daemons(self) -> list[Daemon]:
        """The services in the order in which they are stopped."""
        # Logs are read from the files below; the services that would serve them to other machines listen on all interfaces.
        options = {"scheduler": ["--skip-serve-logs"], "triggerer": ["--skip-serve-logs"]}
        return [
            Daemon(f"airflow-{name}", self._folder, [*_AIRFLOW, name, *options.get(name, [])], self.environment)
            for name in _SERVICES
        ]

    @cached_property
    def environment(self) -> dict[str, str]:
        """What makes a process part of this Airflow; the command line of Airflow works with it too."""
        secret = self._secrets()
        return {
            **self._more,
            HOME_VARIABLE: str(self._custody_home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "AIRFLOW_HOME": str(self._folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(_DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(self._parallelism),
            "AIRFLOW__CORE__AUTH_MANAGER": _AUTH_MANAGER,
            "AIRFLOW__FAB__CONFIG_FILE": str(_FAB_CONFIG),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": secret["fernet"],
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._database_url,
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(self._ports["airflow"]),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__INSTANCE_NAME": "Fund supervision 资金存管监管",
            "AIRFLOW__API__SECRET_KEY": secret["api"],
            "AIRFLOW__API_AUTH__JWT_SECRET": secret["jwt"],
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            # They change with the installed program only; to read them all every half minute takes a quarter of a core.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def start(self) -> None:
        """Database, users, services; returns when all four are healthy. Repeating it is harmless, and takes in people who came
        or left since. Raises ServiceFailed."""
        runs = self.healthy() is None
        if not runs:
            self._run([*_AIRFLOW, "db", "migrate"], "airflow db migrate", "")
        self.synchronise_users()
        if runs:
            return
        for daemon in reversed(self.daemons):
            daemon.start()
        for daemon in self.daemons:
            daemon.wait_until(self.healthy, _START_SECONDS)

    def synchronise_users(self) -> None:
        """Users and roles as the register has the people now; nothing when they are as they were. Raises ServiceFailed."""
        persons = self.people()
        made_for, now = self._folder / "people.json", json.dumps({"people": persons, "pool": POOL})
        if made_for.exists() and made_for.read_text(encoding="utf-8") == now:
            return
        known = self.passwords() if self.passwords_file.exists() else {}
        known |= {p["person_id"]: secrets.token_urlsafe(12) for p in persons if p["active"] and p["person_id"] not in known}
        write_durably(self.passwords_file, (json.dumps(known, indent=1) + "\n").encode(), 0o600)
        asked = json.dumps({"people": persons, "passwords": known})
        self._run([sys.executable, "-m", "console.airflow.auth_users"], "airflow users", asked)
        made_for.write_text(now, encoding="utf-8")

    def healthy(self) -> str | None:
        """None when all four services run and say so; else which does not, in words."""
        ended = [daemon.name for daemon in self.daemons if daemon.pid is None]
        if ended:
            return f"not running: {', '.join(sorted(ended))}"
        try:
            said = health(self.url)
        except (OSError, AirflowRefused) as error:
            return f"{self.url} does not answer: {error}"
        ill = [name for name in _SERVICES.values() if (said.get(name) or {}).get("status") != "healthy"]
        return f"no fresh sign of life from: {', '.join(ill)}" if ill else None

    def stop(self) -> None:
        """Scheduler with its running tasks first, API server last; each with everything it started."""
        for daemon in self.daemons:
            daemon.stop(_STOP_SECONDS)

    def kill(self) -> None:
        for daemon in self.daemons:
            daemon.kill()

    def _run(self, command: list[str], name: str, standard_input: str) -> None:
        try:
            done = subprocess.run(
                command,
                input=standard_input,
                capture_output=True,
                text=True,
                env={**os.environ, **self.environment},
                cwd=self._folder,
                timeout=_PREPARE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ServiceFailed(f"{name} did not end within {_PREPARE_SECONDS} s") from error
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-_SAID_LINES:])
            raise ServiceFailed(f"{name} ended {done.returncode}:\n{said}")

    def _secrets(self) -> dict[str, str]:
        """Drawn once; all services share them, or one would not know the other's tokens."""
        path = self._folder / "secrets.json"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            drawn = {"fernet": fernet, "api": secrets.token_hex(32), "jwt": secrets.token_hex(64)}
            write_durably(path, (json.dumps(drawn, indent=1) + "\n").encode(), 0o600)
        known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return known


_AIRFLOW = [sys.executable, "-m", "airflow"]
