"""custody init: makes an instance, completes one whose making failed, and leaves one that stands as it is."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect
from typer.testing import CliRunner

from cluster.postgres import Postgres
from connectors.register_tables import metadata
from connectors.settings import FILE_NAME, changed, initial_settings
from console.cli import app

OPTIONS = ("--bank", '示范银行 "A" {x}', "--go-live", "2019-12-30", "--sftp-port", "2222")


def init(home: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["init", *options], env={"CUSTODY_HOME": str(home)})
    return done.exit_code, done.output


def prepare(path: Path, register_url: str) -> Path:
    text = initial_settings("b", date(2019, 12, 30), 2222)
    path.write_text(changed(text, {"register.url": register_url}), encoding="utf-8")
    return path


def people(home: Path, tmp_path: Path) -> str:
    done = CliRunner().invoke(app, ["person", "list"], env={"CUSTODY_HOME": str(home)})
    assert done.exit_code == 0, done.output
    return done.output


def state(home: Path) -> dict[str, bytes]:
    """Every file of the instance but the log and SQLite's own, which opening it changes."""
    grows = (home / "logs", home / "register.db")
    files = [path for path in home.rglob("*") if path.is_file() and not str(path).startswith(tuple(map(str, grows)))]
    return {str(path.relative_to(home)): path.read_bytes() for path in files}


def test_prepared_settings_are_taken_as_they_are(tmp_path: Path, register_url: str) -> None:
    home, prepared = tmp_path / "home", prepare(tmp_path / "prepared.toml", register_url)
    assert init(home, "--settings", str(prepared))[0] == 0
    assert (home / FILE_NAME).read_bytes() == prepared.read_bytes()
    engine = create_engine(register_url)
    assert set(inspect(engine).get_table_names()) == {*metadata.tables, "alembic_version"}
    engine.dispose()
    assert "maker" in people(home, tmp_path)


def test_repeating_changes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert init(home, *OPTIONS)[0] == 0
    before, who = state(home), people(home, tmp_path)
    added = ["person", "add", "zhao", "--name", "Zhao", "--duty", "operator", "--as", "admin"]
    assert CliRunner().invoke(app, added, env={"CUSTODY_HOME": str(home)}).exit_code == 0
    for options in (OPTIONS, ()):
        assert init(home, *options)[0] == 0
        assert state(home) == before
        assert "zhao" in people(home, tmp_path) and len(people(home, tmp_path)) > len(who)


@pytest.mark.parametrize(
    "missing",
    ["keys/collector", "keys/sftp_host", "keys/known_hosts", "keys/authorized/collector", "register.db"],
)
def test_what_a_failed_run_did_not_reach_is_made_by_the_next(tmp_path: Path, missing: str) -> None:
    home = tmp_path / "home"
    assert init(home, *OPTIONS)[0] == 0
    names = set(state(home))
    (home / missing).unlink()
    assert init(home, *OPTIONS)[0] == 0
    assert set(state(home)) == names
    assert "maker" in people(home, tmp_path)


@pytest.mark.parametrize("lost", ["keys/identity.key", "keys/master.key"])
def test_keys_that_an_instance_has_lost_are_not_made_anew(tmp_path: Path, lost: str) -> None:
    home = tmp_path / "home"
    assert init(home, *OPTIONS)[0] == 0
    (home / lost).unlink()
    code, words = init(home, *OPTIONS)
    assert code == 2 and lost in words and "restore" in words
    assert not (home / lost).exists()


def test_a_register_that_an_instance_has_lost_is_not_made_anew(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert init(home, *OPTIONS)[0] == 0
    (home / "register.db").unlink()
    (home / "archive" / "ab").mkdir(parents=True)
    code, words = init(home, *OPTIONS)
    assert code == 2 and "archive" in words and "restore the register" in words


@pytest.mark.real
def test_a_register_that_is_not_there_yet_is_for_a_person_and_then_for_a_repetition(
    tmp_path: Path, postgres: Postgres, postgres_database: str
) -> None:
    home, prepared = tmp_path / "home", prepare(tmp_path / "prepared.toml", postgres.register_url(postgres_database))
    postgres.drop_database(postgres_database)
    code, words = init(home, "--settings", str(prepared))
    assert code == 2 and "does not let us in" in words
    postgres.create_database(postgres_database)
    postgres.stop()
    code, words = init(home)
    assert code == 3 and "busy or away" in words
    postgres.start()
    assert init(home, "--settings", str(prepared))[0] == 0
    assert "maker" in people(home, tmp_path)


def test_options_that_contradict_each_other_or_what_stands(tmp_path: Path) -> None:
    home, prepared = tmp_path / "home", prepare(tmp_path / "prepared.toml", "sqlite:///register.db")
    wrong: list[tuple[str, ...]] = [
        (),
        OPTIONS[:4],
        ("--settings", str(prepared), *OPTIONS[:2]),
        ("--settings", str(tmp_path / "nowhere.toml")),
    ]
    for options in wrong:
        assert init(home, *options)[0] == 2
    (tmp_path / "wrong.toml").write_text(prepared.read_text(encoding="utf-8").replace("[lease]", "[leese]"), encoding="utf-8")
    code, words = init(home, "--settings", str(tmp_path / "wrong.toml"))
    assert code == 2 and "wrong.toml" in words
    assert list(home.iterdir()) == []
    assert init(home, "--settings", str(prepared))[0] == 0
    code, words = init(home, *OPTIONS)
    assert code == 2 and "says otherwise" in words
