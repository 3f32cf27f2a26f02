"""The migrations make exactly the tables that the code knows, and take them away again."""

from __future__ import annotations

import base64
import subprocess
import sys
from datetime import date
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect

from connectors.clock import SystemClock
from connectors.register import SqlRegister
from connectors.register_tables import metadata
from console.commands.instance import migrations_folder
from custody.services.organisations import standing_party
from custody.services.party_keys import keys, ssh_key


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.set_main_option("sqlalchemy.url", url)
    return config


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


def test_an_empty_register_is_brought_to_exactly_the_tables_of_the_code(register_url: str) -> None:
    engine = create_engine(register_url)
    # The tables, and the indexes that some of them have.
    indexes = sum(len(table.indexes) for table in metadata.tables.values())
    assert len(differences(engine)) == len(metadata.tables) + indexes
    command.upgrade(alembic_config(register_url), "head")
    assert differences(engine) == []
    engine.dispose()


def test_keys_and_unique_columns_are_those_of_the_code(register_url: str) -> None:
    """compare_metadata looks neither at primary keys nor, on SQLite, at unique constraints without a name."""
    command.upgrade(alembic_config(register_url), "head")
    engine = create_engine(register_url)
    made = inspect(engine)
    fresh = create_engine("sqlite://")
    metadata.create_all(fresh)
    wanted = inspect(fresh)
    for table in metadata.tables:
        assert made.get_pk_constraint(table)["constrained_columns"] == wanted.get_pk_constraint(table)["constrained_columns"]
        unique = [[u["column_names"] for u in found.get_unique_constraints(table)] for found in (made, wanted)]
        assert unique[0] == unique[1], table
    engine.dispose()
    fresh.dispose()


def test_downgrading_leaves_nothing_and_upgrading_again_works(register_url: str) -> None:
    config = alembic_config(register_url)
    command.upgrade(config, "head")
    command.downgrade(config, "base")
    engine = create_engine(register_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    command.upgrade(config, "head")
    assert differences(engine) == []
    engine.dispose()


def test_a_register_of_the_first_version_keeps_its_rows_and_its_numbers(register_url: str) -> None:
    config = alembic_config(register_url)
    command.upgrade(config, "0001")
    engine = create_engine(register_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO lease (name, holder, fence, expires_at) VALUES ('n', 'h', 7, 1577664000)")
        for _ in range(2):
            connection.exec_driver_sql(
                "INSERT INTO file_event (file_name, sha256, event, details, at) VALUES ('f', 's', 'ACCEPTED', '{}', 't')"
            )
    engine.dispose()
    command.upgrade(config, "head")
    register = SqlRegister(register_url, SystemClock())
    with register.transaction() as tx:
        tx.insert("file_event", {"file_name": "g", "sha256": "s", "event": "ACCEPTED", "details": "{}", "at": "t"})
        assert [(row["event_no"], row["file_name"]) for row in tx.find("file_event")] == [(1, "f"), (2, "f"), (3, "g")]
        # A time after 2038, which the first version had no room for.
        assert tx.update("lease", {"name": "n", "fence": 7, "expires_at": 1577664000}, {"expires_at": 2**33}) == 1
        tx.update("lease", {"name": "n"}, {"expires_at": 0})
    register.close()
    command.downgrade(config, "0001")
    engine = create_engine(register_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO file_event (file_name, sha256, event, details, at) VALUES ('h', 's', 'ACCEPTED', '{}', 't')"
        )
        assert connection.exec_driver_sql("SELECT max(event_no) FROM file_event").scalar_one() == 4
    engine.dispose()


def test_files_of_before_the_batch_mark_came_in_one_batch(register_url: str) -> None:
    config = alembic_config(register_url)
    command.upgrade(config, "0002")
    engine = create_engine(register_url)
    with engine.begin() as connection:
        for name in ("TXN", "SEAL"):
            connection.exec_driver_sql(
                "INSERT INTO file (file_name, sha256, party, file_type, custody_date, batch, version, state, figures, bytes, totals, "
                f"received_at) VALUES ('{name}', 's', 'P001', '{name}', '2019-12-30', 1, 1, 'ACCEPTED', '{{}}', 1, '{{}}', 't')"
            )
    engine.dispose()
    command.upgrade(config, "head")
    register = SqlRegister(register_url, SystemClock())
    with register.transaction() as tx:
        assert {row["file_type"]: row["batches"] for row in tx.find("file")} == {"TXN": 1, "SEAL": None}
    register.close()
    command.downgrade(config, "0002")


def test_a_register_of_before_the_erasures_has_erased_nobody_and_can_from_now_on(register_url: str) -> None:
    config = alembic_config(register_url)
    command.upgrade(config, "0003")
    engine = create_engine(register_url)
    proposal = "('p', 'case', 'c', '{}', 'maker', 't', 'PROPOSED', 'n')"
    with engine.begin() as connection:
        columns = "proposal_id, kind, subject, payload, maker, proposed_at, state, note"
        connection.exec_driver_sql(f"INSERT INTO proposal ({columns}) VALUES {proposal}")
    engine.dispose()
    command.upgrade(config, "head")
    register = SqlRegister(register_url, SystemClock())
    erased = {"proposal_id": "p", "customer_id": "C1", "erased_up_to": date(2019, 12, 31), "kept": "{}", "approved_at": "t"}
    removed = {"proposal_id": "p", "store_table": "sub_account", "salt": 0, "rows": 2, "sum_minor": str(2**70), "digest": "ff"}
    with register.transaction() as tx:
        assert [row["subject"] for row in tx.find("proposal")] == ["c"] and tx.find("erased_customer") == []
        tx.insert("erased_customer", erased)
        tx.insert("removed_rows", removed)
        assert tx.find("erased_customer") == [{**erased, "erased_at": None, "purged_at": None}]
        assert tx.find("removed_rows") == [removed]
    register.close()
    command.downgrade(config, "0003")
    engine = create_engine(register_url)
    assert not {"erased_customer", "removed_rows"} & set(inspect(engine).get_table_names())
    engine.dispose()


def test_a_register_of_before_the_rules_has_adopted_none_and_can_from_now_on(register_url: str) -> None:
    config = alembic_config(register_url)
    command.upgrade(config, "0004")
    engine = create_engine(register_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO lease (name, holder, fence, expires_at) VALUES ('n', 'h', 7, 1577664000)")
    engine.dispose()
    command.upgrade(config, "head")
    register = SqlRegister(register_url, SystemClock())
    rule = {
        "rule_id": "cut_off_window",
        "version": 2,
        "valid_from": date(2020, 1, 2),
        "entry": "{}",
        "digest": "d",
        "proposal_id": "p",
    }
    with register.transaction() as tx:
        assert tx.find("adopted_rule") == [] and [row["fence"] for row in tx.find("lease")] == [7]
        tx.insert("adopted_rule", rule)
        assert tx.find("adopted_rule") == [rule]
    register.close()
    command.downgrade(config, "0004")
    engine = create_engine(register_url)
    assert "adopted_rule" not in inspect(engine).get_table_names()
    engine.dispose()


def test_a_case_of_before_the_history_stays_as_it_was_and_has_one_from_now_on(register_url: str) -> None:
    config = alembic_config(register_url)
    command.upgrade(config, "0007")
    case = {
        "case_id": "c1", "platform": "P001", "sides": "AB", "subject": "TXN|R1|1", "kind": "AMOUNT", "state": "OPEN", "severity": "LOW",
        "amount_minor": 100, "opened_on": "2019-12-30", "last_seen_on": "2019-12-30", "episode": 1, "evidence_digest": "e", "evidence": "[]",
    }  # fmt: skip
    engine = create_engine(register_url)
    with engine.begin() as connection:
        values = ", ".join(repr(value) for value in case.values())
        connection.exec_driver_sql(f"INSERT INTO recon_case ({', '.join(case)}) VALUES ({values})")
    engine.dispose()
    command.upgrade(config, "head")
    register = SqlRegister(register_url, SystemClock())
    with register.transaction() as tx:
        (row,) = tx.find("recon_case")
        assert (row["case_id"], row["amount_minor"], row["due_on"], row["reopened_by"]) == ("c1", 100, None, None)
        assert tx.find("case_event") == []
        event = {"case_id": "c1", "event": "COMMENTED", "actor": "op1", "at": "t", "details": "{}", "note": "x"}
        tx.insert("case_event", event)
        tx.insert("case_event", event)
        assert [(e["event_no"], e["custody_date"]) for e in tx.find("case_event", ("event_no",))] == [(1, None), (2, None)]
        tx.update("recon_case", {"case_id": "c1"}, {"due_on": date(2020, 1, 2), "reopened_by": "op1"})
    register.close()
    command.downgrade(config, "0007")
    engine = create_engine(register_url)
    assert "case_event" not in inspect(engine).get_table_names()
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT case_id, state FROM recon_case").all() == [("c1", "OPEN")]
    engine.dispose()


def test_a_party_keeps_its_key_which_has_dates_from_now_on(register_url: str) -> None:
    config = alembic_config(register_url)
    command.upgrade(config, "0008")
    line = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)).decode()
    engine = create_engine(register_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO party (party, kind, name_en, name_zh, status, contract, public_key) "
            f"VALUES ('P001', 'PLATFORM', 'n', 'n', 'LIVE', '{{}}', '{line}')"
        )
    engine.dispose()
    command.upgrade(config, "head")
    register = SqlRegister(register_url, SystemClock())
    wanted = ssh_key(line)
    assert wanted is not None
    with register.transaction() as tx:
        (key,) = keys(tx)
        assert (key.public_key, key.fingerprint, key.valid_from, key.valid_to) == (line, wanted.fingerprint, None, None)
        assert key.works_on(date(2019, 12, 30)) and key.added_no == 1
    register.close()
    command.downgrade(config, "0008")
    engine = create_engine(register_url)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT party, status, public_key FROM party").all() == [("P001", "LIVE", line)]
    engine.dispose()


def test_a_party_keeps_its_status_and_contract_which_hold_from_a_date_from_now_on(register_url: str) -> None:
    config = alembic_config(register_url)
    command.upgrade(config, "0012")
    engine = create_engine(register_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO party (party, kind, name_en, name_zh, status, contract) VALUES ('P001', 'PLATFORM', 'n', 'n', 'LIVE', '{}')"
        )
    engine.dispose()
    command.upgrade(config, "head")
    register = SqlRegister(register_url, SystemClock())
    with register.transaction() as tx:
        assert standing_party(tx, "P001").on(date(2019, 12, 30)).status == "LIVE"
        tx.insert("party_status", {"party": "P001", "valid_from": date(2020, 1, 2), "status": "SUSPENDED"})
        tx.insert("party_contract", {"party": "P001", "valid_from": date(2020, 1, 2), "contract": '{"x": 1}'})
        dated = standing_party(tx, "P001")
    days = (date(2020, 1, 1), date(2020, 1, 2))
    assert [(dated.on(day).status, dated.on(day).contract) for day in days] == [("LIVE", {}), ("SUSPENDED", {"x": 1})]
    register.close()
    command.downgrade(config, "0012")
    engine = create_engine(register_url)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT party, status, contract FROM party").all() == [
            ("P001", "SUSPENDED", '{"x": 1}')
        ]
    engine.dispose()


UPGRADE = """
import sys
from alembic import command
sys.path.insert(0, sys.argv[2])
from test_migrations import alembic_config
command.upgrade(alembic_config(sys.argv[1]), "head")
"""


def test_two_that_migrate_at_once_do_not_meet(register_url: str) -> None:
    arguments = [sys.executable, "-c", UPGRADE, register_url, str(Path(__file__).parent)]
    both = [subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(one.communicate(timeout=120)[1], one.returncode) for one in both] == [("", 0)] * 2
    engine = create_engine(register_url)
    assert differences(engine) == []
    engine.dispose()


def test_a_register_of_before_the_promises_has_none_and_its_alerts_have_not_ended(register_url: str) -> None:
    config = alembic_config(register_url)
    command.upgrade(config, "0010")
    engine = create_engine(register_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO alert (alert_id, rule, platform, subject, severity, raised_on, last_seen_on, figures, words_en, words_zh, state) "
            "VALUES ('a', 'r', '', 's', 'HIGH', '2019-12-30', '2019-12-30', '{}', 'w', 'w', 'OPEN')"
        )
        connection.exec_driver_sql("INSERT INTO file_event VALUES (1, 'f', 's', 'ACCEPTED', '{}', 't')")
    engine.dispose()
    command.upgrade(config, "head")
    register = SqlRegister(register_url, SystemClock())
    with register.transaction() as tx:
        assert tx.find("expected_file") == []
        (alert,), (event,) = tx.find("alert"), tx.find("file_event")
        assert (alert["ended_at"], event["actor"]) == (None, None)
    register.close()
    command.downgrade(config, "0010")
    engine = create_engine(register_url)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM alert").scalar_one() == 1
    assert "expected_file" not in inspect(engine).get_table_names()
    engine.dispose()


def test_alerts_of_before_are_told_once_and_no_more(register_url: str) -> None:
    """What had not left is to be told, its end too; what had left is not told again, forwards and backwards."""
    config = alembic_config(register_url)
    command.upgrade(config, "0017")
    engine = create_engine(register_url)
    told = {"a": (None, None, None), "b": ("2020-01-01T08", None, None), "c": ("2020-01-01T08", "2020-01-01T09", None), "d": ("2020-01-01T08", "2020-01-01T09", "2020-01-01T10")}  # fmt: skip
    with engine.begin() as connection:
        for alert_id, times in told.items():
            sent, ended, end_sent = (f"'{one}'" if one else "NULL" for one in times)
            connection.exec_driver_sql(
                "INSERT INTO alert (alert_id, rule, platform, subject, severity, raised_on, last_seen_on, figures, words_en, words_zh, state, "
                "sent_at, ended_at, ended_en, ended_zh, end_sent_at) VALUES "
                f"('{alert_id}', 'r', '', 's', 'HIGH', '2019-12-30', '2019-12-30', '{{}}', 'w', 'w', 'OPEN', {sent}, {ended}, 'over', 'over', {end_sent})"
            )
    engine.dispose()
    command.upgrade(config, "head")
    register = SqlRegister(register_url, SystemClock())
    with register.transaction() as tx:
        events = [(e["alert_id"], e["event"], e["told"]) for e in tx.find("alert_event", ("event_no",))]
        assert events == [("a", "RAISED", False), ("b", "RAISED", True), ("c", "RAISED", True), ("d", "RAISED", True), ("c", "ENDED", False), ("d", "ENDED", True)]  # fmt: skip
        assert {(a["turn"], a["duty"], a["answer_by"]) for a in tx.find("alert")} == {(0, None, None)}
        tx.insert("alert_event", {**tx.find("alert_event")[0], "event_no": 99})
    register.close()
    command.downgrade(config, "0017")
    engine = create_engine(register_url)
    with engine.begin() as connection:
        rows = connection.exec_driver_sql("SELECT alert_id, sent_at, end_sent_at FROM alert ORDER BY alert_id").all()
    assert [tuple(row) for row in rows] == [
        ("a", None, None), ("b", "2020-01-01T08", None), ("c", "2020-01-01T08", None), ("d", "2020-01-01T08", "2020-01-01T09"),
    ]  # fmt: skip
    engine.dispose()
