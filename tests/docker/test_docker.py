"""docker/: linted and parsed, and held against what it must agree with, since no container engine runs in the tests."""

import configparser
import itertools
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.cluster import CORE, OWN
from cluster.hbase import _JAVA_17, Hbase
from cluster.hdfs import Hdfs
from cluster.machine import Ports
from cluster.spark_connect import SparkConnect
from cluster.sshd import Sshd
from connectors.hbase_store import FAMILY
from connectors.settings import FILE_NAME, changed, load_settings, read_settings
from schemas.store_keys import CORE_TABLES, META, OWN_TABLES, SALTS, UNSALTED

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = DOCKER / "Dockerfile"
FILES = sorted(path for path in DOCKER.rglob("*") if path.is_file() and "secrets" not in path.relative_to(DOCKER).parts[:1])
SCRIPTS = [path for path in FILES if path.suffix == ".sh"]
# A line of YAML is as wide as our others; maps that fit on a line may stand on one.
YAMLLINT = "{extends: default, rules: {line-length: {max: 130}, document-start: disable, braces: {max-spaces-inside: 0}}}"


def tool(name: str, *arguments: str) -> str:
    """What a linter says on standard output; the test fails with all that it says when it finds anything."""
    command = [str(Path(sys.executable).with_name(name)), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """compose.yaml as Compose itself understands it: merged, with every reference resolved."""
    said = tool("docker-compose", "--file", "docker/compose.yaml", "config", "--format", "json")
    understood: dict[str, Any] = json.loads(said)
    return understood


def test_dockerfile_is_clean() -> None:
    tool("hadolint", str(DOCKERFILE))


def test_compose_is_clean() -> None:
    tool("yamllint", "--strict", "--config-data", YAMLLINT, "docker/compose.yaml")
    tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker/compose.yaml")


def test_scripts_are_clean() -> None:
    assert SCRIPTS
    tool("shellcheck", *map(str, SCRIPTS))


def instructions() -> Iterator[tuple[str, list[str]]]:
    for line in DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            name, *words = line.split()
            yield name, words


def test_what_is_copied_exists_and_reaches_the_build() -> None:
    seen = {line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [word for name, words in instructions() if name == "COPY" and "--from" not in words[0] for word in words[:-1]]
    assert {"cluster/hbase/pom.xml", "cluster/hdfs/pom.xml", "dags", "docker/drop", "."} <= set(copied)
    for source in [*copied, *seen]:
        assert (ROOT / source).exists(), source
    assert {Path(source).parts[0] for source in copied if source != "."} <= seen
    packages = setup_cfg()["options"]["packages"].split()
    files = {"LICENSE", "README.md", "pyproject.toml", "requirements.lock", "setup.cfg"}
    assert {name.split(".")[0] for name in packages} | files <= seen


def test_no_secret_can_be_built_in_or_committed() -> None:
    assert "docker/secrets" in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert "secrets/" in (DOCKER / ".gitignore").read_text().splitlines()
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "docker/secrets"], capture_output=True, text=True, check=True)
    assert listed.stdout == ""


def test_no_secret_stands_in_a_file(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSW|SECRET|FERNET|TOKEN|(?<!_)KEY", name):
                assert re.fullmatch(r"(cat )?/run/secrets/\w+", value), name
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "PRIVATE KEY" not in text, path
        assert not re.search(r"://[^/\s:@]+:[^/\s@]+@", text), f"{path} has a password in a URL"
    assert {secret["file"] for secret in compose["secrets"].values()} == {
        str(DOCKER / "secrets" / name) for name in compose["secrets"]
    }


def test_the_secrets_that_are_drawn_are_those_that_compose_takes(compose: dict[str, Any], tmp_path: Path) -> None:
    script = tmp_path / "make_secrets.py"
    script.write_bytes((DOCKER / "make_secrets.py").read_bytes())
    for _ in range(2):
        subprocess.run([sys.executable, str(script)], check=True, timeout=30)
        drawn = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
        assert drawn.keys() == compose["secrets"].keys()
        assert len(set(drawn.values())) == len(drawn)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_each_service_is_confined_and_watched(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}, name
        assert service["logging"]["options"]["max-size"], name
        assert not service.get("privileged") and "network_mode" not in service, name
        if name != "init":
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name
        # The drop makes accounts; it is the only one to run as root and to have any power of root's.
        assert service.get("read_only", False) == (name != "drop"), name
        assert ("cap_add" in service) == (name == "drop"), name


def test_only_the_page_and_the_drop_are_published_and_only_on_loopback(compose: dict[str, Any]) -> None:
    published = {
        name: [(port["host_ip"], port["target"]) for port in service["ports"]]
        for name, service in compose["services"].items()
        if "ports" in service
    }
    assert published == {"airflow-api": [("127.0.0.1", 8080)], "drop": [("127.0.0.1", 2222)]}
    assert {name for name, network in compose["networks"].items() if not network.get("internal")} == {"parties", "desk"}


def test_the_drop_reaches_no_store_and_no_key_of_the_banks(compose: dict[str, Any]) -> None:
    drop = compose["services"]["drop"]
    stores = {name for name, service in compose["services"].items() if "stores" in service["networks"]}
    assert {"postgres", "hbase", "namenode", "datanode", "spark"} <= stores
    assert drop["networks"].keys() == {"exchange", "parties"}
    assert "secrets" not in drop
    assert {mount["source"]: mount.get("read_only", False) for mount in drop["volumes"]} == {"drop": False, "exchange": True}


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    version = setup_cfg()["metadata"]["version"]
    stages = {words[-1] for name, words in instructions() if name == "FROM"}
    for name, words in instructions():
        if name == "FROM" and words[0] not in stages:
            assert re.fullmatch(r"(debian:12\.\d+-slim|python:3\.11\.\d+-slim-bookworm)", words[0]), words[0]
    for name, service in compose["services"].items():
        if "build" in service:
            assert service["image"] == f"fund-supervision/{service['build']['target']}:{version}", name
            assert service["build"]["target"] in stages, name
        else:
            assert re.fullmatch(r"postgres:15\.\d+-bookworm", service["image"]), name


def test_what_is_installed_is_locked_and_the_installer_is_the_one_of_the_makefile() -> None:
    assert "--constraint requirements.lock " in DOCKERFILE.read_text(encoding="utf-8")
    pins = [re.findall(r"\buv==[\d.]+", (ROOT / name).read_text(encoding="utf-8")) for name in ("Makefile", "docker/Dockerfile")]
    assert pins[0] == pins[1] and len(pins[0]) == 1


def test_settings_are_accepted_and_name_the_services(compose: dict[str, Any]) -> None:
    path = DOCKER / "settings.toml"
    settings = read_settings(path, Path("/var/lib/custody/home"))
    services = compose["services"]
    hosts = re.findall(r"(?:@|://)([a-z]+):(\d+)", path.read_text(encoding="utf-8"))
    assert dict(hosts) == {"postgres": "5432", "namenode": "8020", "hbase": "9090", "spark": "15002"}
    assert {host for host, _port in hosts} | {settings.sftp.host} <= services.keys()
    assert settings.sftp.port == services["drop"]["ports"][0]["target"]
    first = settings.instance.go_live.isoformat()
    assert {s["environment"]["CUSTODY_FIRST_DATE"] for s in services.values() if "/custody:" in s["image"]} == {first}
    (exchange,) = [mount["target"] for mount in services["drop"]["volumes"] if mount["source"] == "exchange"]
    for path_of in (settings.sftp.host_key, settings.sftp.authorized_keys):
        assert Path(path_of).parent == Path(exchange)
    sshd = (DOCKER / "drop" / "sshd_config").read_text(encoding="utf-8")
    assert f"HostKey {settings.sftp.host_key}\n" in sshd and f"{settings.sftp.authorized_keys}/%u\n" in sshd


def test_tables_are_those_of_the_schemas(compose: dict[str, Any]) -> None:
    def line(namespace: str, tables: tuple[str, ...]) -> str:
        regions = [f"{table}={1 if table in UNSALTED else SALTS}" for table in (META, *tables)]
        return " ".join([namespace, FAMILY.decode(), *regions])

    assert compose["services"]["hbase"]["environment"]["TABLES"].splitlines() == [line(OWN, OWN_TABLES), line(CORE, CORE_TABLES)]


def properties(path: Path) -> dict[str, str]:
    found = ElementTree.parse(path).getroot().iter("property")
    return {str(each.findtext("name")): str(each.findtext("value")) for each in found}


# Where things lie and listen is each its own.
PLACE = re.compile(r"(dir|port|address|hostname|rpc-bind-host)$", re.IGNORECASE)


def same_but_for_places(ours: Path, theirs: Path) -> None:
    here, there = ({n: v for n, v in properties(path).items() if not PLACE.search(n)} for path in (ours, theirs))
    assert here == there and here


def test_hbase_is_configured_as_in_the_cluster(tmp_path: Path) -> None:
    Hbase(tmp_path, Ports(tmp_path))._configure()
    same_but_for_places(DOCKER / "hbase" / "hbase-site.xml", tmp_path / "conf" / "hbase-site.xml")
    assert (DOCKER / "hbase" / "java17.options").read_text().split() == _JAVA_17


def test_hdfs_is_configured_as_in_the_cluster(tmp_path: Path) -> None:
    Hdfs(tmp_path, Ports(tmp_path))._configure()
    same_but_for_places(DOCKER / "hdfs" / "hdfs-site.xml", tmp_path / "conf" / "hdfs-site.xml")


def test_spark_is_configured_as_in_the_cluster(tmp_path: Path) -> None:
    words = list(SparkConnect(tmp_path, Ports(tmp_path)).daemon.command)
    theirs = dict(word.split("=", 1) for option, word in itertools.pairwise(words) if option == "--conf")
    theirs |= {f"spark.{name}": words[words.index(f"--{name.replace('.', '-')}") + 1] for name in ("master", "driver.memory")}
    lines = (DOCKER / "custody" / "spark.conf").read_text(encoding="utf-8").splitlines()
    ours = dict(line.split() for line in lines if line and not line.startswith("#"))
    place = re.compile(r"(address|port|dir)$", re.IGNORECASE)
    assert ours.keys() == theirs.keys()
    assert {n: v for n, v in ours.items() if not place.search(n)} == {n: v for n, v in theirs.items() if not place.search(n)}


def directives(text: str) -> dict[str, str]:
    """All but where it listens and where it finds keys and accounts."""
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    place = ("Port", "ListenAddress", "HostKey", "AllowGroups", "AuthorizedKeys")
    return {name: value for name, value in lines if not name.startswith(place)}


def test_sshd_is_configured_as_in_the_cluster(tmp_path: Path) -> None:
    ours = (DOCKER / "settings.toml").read_text(encoding="utf-8")
    of_a_machine = {"sftp.server": "openssh", "sftp.account_prefix": "x-"}
    (tmp_path / FILE_NAME).write_text(changed(ours, of_a_machine), encoding="utf-8")
    theirs = Sshd(tmp_path, load_settings(tmp_path))._configuration()
    assert directives((DOCKER / "drop" / "sshd_config").read_text(encoding="utf-8")) == directives(theirs)


def setup_cfg() -> configparser.ConfigParser:
    parsed = configparser.ConfigParser()
    parsed.read(ROOT / "setup.cfg", encoding="utf-8")
    return parsed
