"""A directory as banks have one: OpenLDAP's own server on loopback, with two people and their groups."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from state_kit import server_folder

from cluster.daemon import Daemon
from cluster.machine import listens
from cluster.programs import SLAPADD, SLAPD, require
from connectors.loopback import LOOPBACK, free_port

SUFFIX = "dc=bank,dc=example"
READER, READER_PASSWORD = f"cn=reader,{SUFFIX}", "reads"
OPERATORS, SUPERVISORS = (f"cn=custody-{name},ou=groups,{SUFFIX}" for name in ("operators", "supervisors"))
_START_SECONDS = 60
_MODULES = Path("/usr/lib/ldap")
_SCHEMAS = Path("/etc/ldap/schema")


@dataclass(frozen=True)
class Directory:
    url: str


@pytest.fixture(scope="session")
def real_slapd() -> Iterator[Directory]:
    """``li.na`` (password ``li``) is in OPERATORS, ``wang.wei`` (``wang``) in SUPERVISORS, ``guest`` (``guest``) in no group of ours."""
    require([SLAPD, SLAPADD])
    with server_folder("slapd") as folder:
        (folder / "db").mkdir()
        configuration = folder / "slapd.conf"
        configuration.write_text(_configuration(folder), encoding="utf-8")
        (folder / "people.ldif").write_text(_people(), encoding="utf-8")
        slapadd, slapd = (str(program.path()) for program in (SLAPADD, SLAPD))
        subprocess.run([slapadd, "-f", str(configuration), "-l", str(folder / "people.ldif")], check=True, capture_output=True)
        port = free_port()
        url = f"ldap://{LOOPBACK}:{port}"
        # -d 0: in the foreground, so that it is ours to stop.
        server = Daemon("slapd", folder, [slapd, "-h", url, "-f", str(configuration), "-d", "0"], {})
        server.start()
        try:
            server.wait_until(lambda: listens(port), _START_SECONDS)
            yield Directory(url)
        finally:
            server.stop(10)


def _configuration(folder: Path) -> str:
    includes = "".join(f"include {_SCHEMAS / name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
    return (
        f"{includes}modulepath {_MODULES}\nmoduleload back_mdb\nmoduleload memberof\n"
        f'database mdb\nsuffix "{SUFFIX}"\nrootdn "cn=root,{SUFFIX}"\ndirectory {folder / "db"}\noverlay memberof\n'
        f'access to attrs=userPassword by anonymous auth by * none\naccess to * by dn.exact="{READER}" read by self read by * none\n'
    )


def _people() -> str:
    entries = [
        f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: bank\ndc: bank\n",
        f"dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n",
        f"dn: ou=groups,{SUFFIX}\nobjectClass: organizationalUnit\nou: groups\n",
        f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: {READER_PASSWORD}\n",
    ]
    for uid, password, group in (("li.na", "li", OPERATORS), ("wang.wei", "wang", SUPERVISORS), ("guest", "guest", "")):
        person = f"uid={uid},ou=people,{SUFFIX}"
        member = f"memberOf: {group}\n" if group else ""
        entries.append(
            f"dn: {person}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\ngivenName: {uid}\n"
            f"mail: {uid}@bank.example\nuserPassword: {password}\n{member}"
        )
        if group:
            entries.append(
                f"dn: {group}\nobjectClass: groupOfNames\ncn: {group.partition(',')[0].removeprefix('cn=')}\nmember: {person}\n"
            )
    return "\n".join(entries)
