"""Programs of the machine that the servers need, and the Debian packages that have them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.machine import MachineLacks

# Debian keeps each major version of PostgreSQL in a folder of its own, and none on PATH.
_POSTGRESQL = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Program:
    """``folders``: where Debian puts it beside PATH, the first that has it counts."""

    name: str
    package: str
    folders: Sequence[str] = ()

    def path(self) -> str | None:
        return shutil.which(self.name, path=os.pathsep.join([*self.folders, os.environ.get("PATH", os.defpath)]))


def postgresql(name: str) -> Program:
    """The newest version's."""
    versions = [path for path in _POSTGRESQL.glob("*/bin") if path.parent.name.isdigit()]
    newest_first = sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    return Program(name, "postgresql", [str(path) for path in newest_first])


JAVA = Program("java", "openjdk-17-jdk-headless")
# `java TOOL.java` compiles it first.
JAVAC = Program("javac", "openjdk-17-jdk-headless")
MAVEN = Program("mvn", "maven")
SSHD = Program("sshd", "openssh-server", ["/usr/sbin"])
# Ends a suspended party's sessions (connectors.system_accounts).
PKILL = Program("pkill", "procps")
POSTGRES = tuple(postgresql(name) for name in ("initdb", "postgres", "pg_ctl"))
# A directory server, and the library by which FAB asks one, which needs a compiler anywhere else: what tests the log-in by LDAP.
SLAPD, SLAPADD = (Program(name, "slapd", ["/usr/sbin"]) for name in ("slapd", "slapadd"))
_DEBIAN_PYTHON, _LDAP_PACKAGE = Path("/usr/lib/python3/dist-packages"), "python3-ldap"
# The browser in which tests do each role's work.
CHROMIUM = Program("chromium", "chromium")
ALL = (JAVA, JAVAC, MAVEN, SSHD, PKILL, *POSTGRES, SLAPD, CHROMIUM)


def missing_packages() -> list[str]:
    """The Debian packages that this machine lacks for a whole cluster."""
    lacking = {program.package for program in ALL if program.path() is None}
    return sorted(lacking if ldap_library() else lacking | {_LDAP_PACKAGE})


def ldap_library() -> list[Path]:
    """python-ldap as Debian builds it for its own Python 3.11: what has to be importable beside our environment; empty where it lacks."""
    built = sorted(_DEBIAN_PYTHON.glob("_ldap.cpython-311-*.so"))
    return (
        [*built, *(_DEBIAN_PYTHON / name for name in ("ldap", "ldapurl.py", "ldif.py", "pyasn1", "pyasn1_modules"))]
        if built
        else []
    )


def require(programs: Sequence[Program]) -> None:
    """Raise MachineLacks naming every program that is missing and the one command that installs them."""
    missing = [program for program in programs if program.path() is None]
    if missing:
        names = ", ".join(program.name for program in missing)
        packages = " ".join(sorted({program.package for program in missing}))
        raise MachineLacks(f"not found: {names}. Debian: apt-get install {packages} (or: make debian-packages)")
