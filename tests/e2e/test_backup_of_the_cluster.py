"""The restore drill on the bank's own stores: HBase, HDFS and PostgreSQL. What a backup of one machine holds becomes, in a database, a
namespace and a folder that are empty, the instance that equals its seals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from instance_kit import BANK, GO_LIVE, Instance, make_instance, make_world, opened
from kill_kit import content_of
from real_hbase import REGIONS, SETTINGS
from typer.testing import CliRunner

from cluster.hbase import Hbase
from cluster.hdfs import Hdfs
from cluster.postgres import Postgres
from connectors.settings import FILE_NAME, changed, initial_settings, load_settings
from console.cli import app
from schemas.store_keys import CORE_TABLES, OWN_TABLES
from simulator.simulate import load_faults

pytestmark = pytest.mark.real

FAULTS = Path(__file__).parents[1] / "faults" / "demo.yaml"


def custody(home: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--as", "admin", "--json"], env={"CUSTODY_HOME": str(home)})


def machine(text: str, name: str, hbase: Hbase, hdfs: Hdfs, postgres: Postgres) -> str:
    """The settings ``text`` with the stores of a machine of that name."""
    stores = {
        "stores.lake": f"{hdfs.url}/{name}",
        "stores.keyed": hbase.url(f"own_{name}"),
        "stores.core": hbase.url("core_drill"),
        "hbase.timeout_seconds": SETTINGS.timeout_seconds,
        # A table that is not there is waited for as long as a region that moves.
        "hbase.give_up_after_seconds": 5,
        "register.url": postgres.register_url(name),
    }
    return changed(text, stores)


def content(instance: Instance) -> dict[str, Any]:
    """All but what a backup and a restore themselves write."""
    return {name: rows for name, rows in content_of(instance).items() if name != "audit_event"}


def test_an_empty_cluster_becomes_the_instance_that_equals_its_seals(
    hbase: Hbase, hdfs: Hdfs, postgres: Postgres, tmp_path: Path
) -> None:
    world = make_world(tmp_path / "world", load_faults(FAULTS), seed=7)
    hbase.create_tables("core_drill", CORE_TABLES, REGIONS)
    hbase.create_tables("own_drill_old", OWN_TABLES, REGIONS)
    for name in ("drill_old", "drill_new"):
        postgres.create_database(name)
    old, new = tmp_path / "old", tmp_path / "new"
    prepared = tmp_path / "prepared.toml"
    prepared.write_text(machine(initial_settings(BANK, GO_LIVE, 0), "drill_old", hbase, hdfs, postgres), encoding="utf-8")
    make_instance(old, world, settings=prepared)
    with opened(old) as instance:
        instance.deliver(world, GO_LIVE)
        instance.run_day(GO_LIVE)
        expected = content(instance)
    done = custody(old, "backup")
    assert done.exit_code == 0, done.output

    # Another machine: the keys from the safe, the addresses of its own stores, and HBase's tables forgotten.
    shutil.copytree(old / "keys", new / "keys")
    text = (old / FILE_NAME).read_text(encoding="utf-8")
    (new / FILE_NAME).write_text(machine(text, "drill_new", hbase, hdfs, postgres), encoding="utf-8")
    backups = str(load_settings(old).path(load_settings(old).backup.folder))
    refused = custody(new, "restore", "--in", backups)
    assert refused.exit_code not in (0, 1) and "own_drill_new" in refused.output + refused.stderr
    hbase.create_tables("own_drill_new", OWN_TABLES, REGIONS)
    done = custody(new, "restore", "--in", backups)
    assert done.exit_code == 0, done.output + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["closed"], said["wrong"]) == (GO_LIVE.isoformat(), [])
    with opened(new) as instance:
        assert content(instance) == expected
        assert instance.damage() == []
    assert expected["publication"] and expected["step_output"]
    for name in ("drill_old", "drill_new"):
        postgres.drop_database(name)
