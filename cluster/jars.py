"""A Java server's jars: what its pom.xml names and all that needs, copied by Maven once into ``build/jars``."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from cluster.machine import MachineLacks
from cluster.programs import JAVA, MAVEN, require

_HERE = Path(__file__).parent
_JARS = _HERE.parent / "build" / "jars"
_FETCH_SECONDS = 900
_SAID_LINES = 15


def jars(name: str) -> Path:
    """The folder with the jars of ``cluster/NAME/pom.xml``; fetched when it is not there or the pom has changed.

    Raises MachineLacks when Java or Maven is missing, or when Maven cannot get them.
    """
    pom = _HERE / name / "pom.xml"
    # A changed pom takes another folder, and a fetch that was killed leaves none under this name.
    folder = _JARS / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    require([JAVA])
    _JARS.mkdir(parents=True, exist_ok=True)
    # One fetch at a time: two Mavens may spoil each other's local repository.
    with (_JARS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            require([MAVEN])
            part = folder.with_name(f".{folder.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            _fetch(pom, part)
            part.rename(folder)
    return folder


def _fetch(pom: Path, into: Path) -> None:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={into}"]
    command = ["mvn", "--batch-mode", "--quiet", f"--file={pom}", *goal]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise MachineLacks(f"Maven did not get the jars of {pom} within {_FETCH_SECONDS} s") from error
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-_SAID_LINES:])
        raise MachineLacks(f"Maven cannot get the jars of {pom}:\n{said}")
