"""What contract and calendar promise, against what came: opened, called missing once, kept late, given up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.register import SqlRegister
from custody.calendar import CHINA, ONE_DAY
from custody.digest import canonical_json
from custody.errors import NotPermitted
from custody.ports import Row
from custody.services.absent_files import GIVE_UP, propose_give_up
from custody.services.alerts import acknowledge
from custody.services.file_moves import Happening
from custody.services.files import history
from custody.services.four_eyes import approve
from custody.services.landing_results import refuse_after_landing
from custody.services.organisations import BEGINNING
from custody.services.outbound import ExchangePorts
from custody.services.promises import Judged, by_state, hold_against, judge_at_cut_off, judge_deadlines, not_here, standing
from tests.kit.alert_kit import AlertDesk

DAY = date(2019, 12, 30)
NEXT = DAY + ONE_DAY
TWICE = {
    "days": "every_day",
    "batches": [{"cut_off": "12:00", "due": "D 12:30"}, {"cut_off": "24:00", "due": "D+1 01:00"}],
    "grace_minutes": 30,
}


class SetClock:
    """Says what it was set to."""

    def __init__(self) -> None:
        self.at = datetime(2019, 12, 30, 0, 10, tzinfo=CHINA)

    def now(self) -> datetime:
        return self.at

    def set(self, on: date, hours: int, minutes: int = 0) -> None:
        self.at = datetime(on.year, on.month, on.day, tzinfo=CHINA) + timedelta(hours=hours, minutes=minutes)


class KeptBytes:
    """Implements what of custody.ports.Archive is asked for here."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def keep(self, data: bytes, sha256: str) -> str:
        self.kept[sha256] = data
        return sha256


class Desk:
    """A register with parties P001 (TXN twice a day, CLAIM once) and P002 (TXN by the usual terms), and a clock to set."""

    def __init__(self, register: SqlRegister) -> None:
        self.register, self.clock, self.archive = register, SetClock(), KeptBytes()
        # Nothing leaves here: what is queued is looked at in the register.
        unused: dict[str, Any] = dict.fromkeys(field.name for field in fields(ExchangePorts))
        self.ports = ExchangePorts(**unused | {"register": register, "clock": self.clock, "archive": self.archive})
        self.party("P001", {"file_types": ["TXN", "CLAIM"], "schedule": {"TXN": TWICE}})
        self.party("P002", {"file_types": ["TXN"]})

    def party(self, party: str, contract: Mapping[str, Any], status: str = "LIVE") -> None:
        body = {"layouts": {name: ["x/1"] for name in contract["file_types"]}, **contract}
        rows: dict[str, Row] = {
            "party": {"kind": "PLATFORM", "name_en": party, "name_zh": party},
            "party_status": {"valid_from": BEGINNING, "status": status},
            "party_contract": {"valid_from": BEGINNING, "contract": canonical_json(body)},
        }
        with self.register.transaction() as tx:
            for table, row in rows.items():
                tx.delete(table, party=party)
                tx.insert(table, {"party": party, **row})

    def judge(self, unseen: tuple[str, ...] = ()) -> Judged:
        return judge_deadlines(self.ports, "system", DAY, unseen)

    def put(self, party: str = "P001", file_type: str = "TXN", batch: int = 1, batches: int | None = None, on: date = DAY,
            version: int = 1, **other: Any) -> str:  # fmt: skip
        """A file in force, as intake leaves it."""
        name = f"{party}_{file_type}_{on:%Y%m%d}_{batch:02d}_v{version}.csv"
        row = {
            "file_name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), "party": party, "file_type": file_type,
            "custody_date": on, "batch": batch, "version": version, "state": "ACCEPTED", "rule": None, "figures": "{}", "bytes": 1,
            "rows": 1, "totals": "{}", "batches": batches, "seal_name": "S", "received_at": self.clock.now().isoformat(), **other,
        }  # fmt: skip
        with self.register.transaction() as tx:
            tx.insert("file", row)
            hold_against(tx, Happening("system", self.clock.now().isoformat(timespec="microseconds")), party, on)
        return name

    def cut_off(self, on: date = DAY) -> Judged:
        with self.register.transaction() as tx:
            tx.insert("step_output", {
                "custody_date": on, "step": "cut_off", "version": 1, "run_digest": "r", "inputs_digest": "i", "manifest_digest": "m",
                "path": "p", "code_digest": "c", "fence": 1, "reason": "", "committed_at": "t",
            })  # fmt: skip
        return judge_at_cut_off(self.ports, "system", on)

    def rows(self, table: str, **equals: object) -> list[Row]:
        with self.register.transaction() as tx:
            return tx.find(table, (), **equals)

    def promise(self, party: str = "P001", file_type: str = "TXN", batch: int = 1, on: date = DAY) -> Row:
        (row,) = self.rows("expected_file", party=party, file_type=file_type, batch=batch, custody_date=on)
        return row

    def notice(self, party: str) -> dict[str, Any]:
        row = self.rows("outbound", party=party)[-1]
        body: dict[str, Any] = json.loads(self.archive.kept[row["sha256"]])
        return body


@pytest.fixture
def desk(register: SqlRegister) -> Desk:
    return Desk(register)


def test_a_date_is_written_down_once_as_it_begins(desk: Desk) -> None:
    assert (desk.judge().opened, desk.judge().opened) == (4, 0)
    desk.clock.set(NEXT, 0, 1)
    assert desk.judge().opened == 4
    with desk.register.transaction() as tx:
        # Noon of the first date is long over.
        assert by_state(tx) == {"EXPECTED": 7, "MISSING": 1}
        assert [e["event"] for e in history(tx, "P001_TXN_20191230_02").events] == ["EXPECTED"]
        assert len(not_here(tx, DAY)) == len(not_here(tx, date(2020, 3, 1))) == 4
    # A party that came after the date began is written down too; what stands is left alone.
    desk.party("P003", {"file_types": ["TXN"]})
    desk.party("P004", {"file_types": ["TXN"]}, "ONBOARDING")
    desk.party("P002", {"file_types": ["TXN", "CLAIM"]})
    assert desk.judge().opened == 2


def test_what_is_missing_when_its_grace_is_over_is_said_once_to_the_desk_and_to_the_sender(desk: Desk) -> None:
    desk.judge()
    desk.clock.set(DAY, 12, 59)
    assert desk.judge().missing == []
    desk.clock.set(DAY, 13)
    judged = desk.judge()
    assert (judged.missing, judged.notices) == (["P001_TXN_20191230_01"], ["P001_FILE_NOTICE_20191230_01_v1.json"])
    again = desk.judge()
    assert (again.missing, again.notices) == ([], [])
    (alert,) = desk.rows("alert")
    assert (alert["rule"], alert["platform"], alert["severity"], alert["state"]) == ("FILE_MISSING", "P001", "MEDIUM", "OPEN")
    for words in ("P001 is late", "TXN", "2019-12-30", "batch 1", "due 2019-12-30 12:30", "since 2019-12-30 13:00", "Nothing of it came",
                  "custody file give-up P001 TXN 2019-12-30"):  # fmt: skip
        assert words in alert["words_en"]
    assert "迟报" in alert["words_zh"] and "give-up" in alert["words_zh"]
    (told,) = desk.notice("P001")["files"]
    assert (told["state"], told["due"]) == ("MISSING", "2019-12-30T12:30:00.000000+08:00")
    assert "P001_TXN_20191230_01_v1.csv" in told["to_do_en"] and told["words_zh"] and told["to_do_zh"]
    assert [e["action"] for e in desk.rows("audit_event")][-1] == "file.missing"


def test_a_file_in_time_is_never_missed(desk: Desk) -> None:
    desk.judge()
    name = desk.put()
    desk.clock.set(DAY, 13)
    assert desk.judge().missing == []
    assert (desk.promise()["state"], desk.promise()["file_name"]) == ("ARRIVED", name)
    assert desk.rows("alert") == []


def test_the_alert_closes_itself_when_the_file_comes_and_says_so(desk: Desk, tmp_path: Path) -> None:
    desk.judge()
    desk.clock.set(DAY, 13)
    desk.judge()
    told = AlertDesk(desk.register, desk.clock, tmp_path)
    told.name_everybody()
    assert told.send().sent == 1
    acknowledge(desk.register, "op1", desk.promise()["alert_id"])
    desk.clock.set(DAY, 15)
    name = desk.put()
    promise = desk.promise()
    assert (promise["state"], promise["misses"], promise["file_name"]) == ("LATE", 1, name)
    (alert,) = desk.rows("alert")
    assert (alert["state"], alert["acknowledged_by"]) == ("CLOSED", "op1")
    assert name in alert["ended_en"] and name in alert["ended_zh"] and alert["ended_at"].startswith("2019-12-30T15:00")
    assert [told.send().sent, told.send().sent] == [1, 0]
    (ended,) = [mail for mail in told.messages(channel="MAIL") if alert["ended_en"] in mail["body"]]
    assert (ended["state"], alert["ended_zh"] in ended["body"]) == ("SENT", True)
    # It does not come back: the promise is kept.
    desk.clock.set(NEXT, 3)
    assert "P001_TXN_20191230_01" not in desk.judge().missing
    with desk.register.transaction() as tx:
        assert [e["event"] for e in history(tx, "P001_TXN_20191230_01").events] == ["EXPECTED", "MISSING", "LATE"]


def test_an_alert_that_ended_before_it_left_is_told_in_one_message(desk: Desk, tmp_path: Path) -> None:
    desk.judge()
    desk.clock.set(DAY, 13)
    desk.judge()
    desk.clock.set(DAY, 22, 30)  # nobody is woken for it
    told = AlertDesk(desk.register, desk.clock, tmp_path)
    told.name_everybody()
    assert told.send().sent == 0
    desk.put()
    desk.clock.set(NEXT, 8)
    assert [told.send().sent, told.send().sent] == [1, 0]
    (mail,) = told.messages(channel="MAIL")
    assert "missing" in mail["body"] and desk.rows("alert")[0]["ended_en"] in mail["body"]


def test_it_grows_graver_when_the_date_is_cut_off_without_the_file_and_is_sent_anew(desk: Desk, tmp_path: Path) -> None:
    desk.judge()
    desk.clock.set(NEXT, 1, 30)
    assert len(desk.judge().missing) == 4
    told = AlertDesk(desk.register, desk.clock, tmp_path)
    told.name_everybody()
    told.send()
    desk.put("P002")
    assert desk.cut_off().graver == 3
    assert judge_at_cut_off(desk.ports, "system", DAY).graver == 0
    graver = [a for a in desk.rows("alert") if a["severity"] == "HIGH"]
    assert len(graver) == 3 and all("cut off without it" in a["words_en"] for a in graver)
    told.send()
    events = {a["alert_id"]: told.events(a["alert_id"]) for a in desk.rows("alert")}
    assert sorted(events.values()) == [["RAISED", "ENDED"], *[["RAISED", "GRAVER"]] * 3]


def test_nobody_is_missed_whose_folder_could_not_be_read(desk: Desk) -> None:
    desk.judge()
    desk.clock.set(NEXT, 2)
    judged = desk.judge(unseen=("P001",))
    assert (judged.missing, judged.unseen) == (["P002_TXN_20191230_01"], ["P001"])
    # Its file lay there all the time: it is in time.
    desk.put()
    assert desk.promise()["state"] == "ARRIVED"
    assert len(desk.judge().missing) == 2


def test_a_closed_party_owes_nothing_and_a_suspended_one_its_files(desk: Desk) -> None:
    desk.judge()
    desk.party("P001", {"file_types": ["TXN", "CLAIM"]}, "CLOSED")
    desk.clock.set(NEXT, 2)
    assert desk.judge().missing == ["P002_TXN_20191230_01"]
    # What is suspended still tells what it did: its files are taken, and kept.
    desk.party("P001", {"file_types": ["TXN", "CLAIM"]}, "SUSPENDED")
    assert len(desk.judge().missing) == 3


def test_the_last_batch_says_how_many_there_are(desk: Desk) -> None:
    """Everything came at noon: the seal of the first batch says that it is the only one."""
    desk.judge()
    name = desk.put(batches=1)
    assert [(desk.promise(batch=batch)["state"], desk.promise(batch=batch)["file_name"]) for batch in (1, 2)] == [
        ("ARRIVED", name)
    ] * 2


def test_what_landing_refused_is_waited_for_anew_and_missed_under_an_alert_of_its_own(desk: Desk) -> None:
    desk.judge()
    desk.clock.set(DAY, 13)
    desk.judge()
    name = desk.put()
    with desk.register.transaction() as tx:
        sha256 = str(tx.find("file", file_name=name)[0]["sha256"])
        refuse_after_landing(tx, "2019-12-31T02:10", name, sha256, "truncated", {})
    assert (desk.promise()["state"], desk.promise()["file_name"]) == ("EXPECTED", None)
    desk.clock.set(NEXT, 2, 20)
    assert "P001_TXN_20191230_01" in desk.judge().missing
    alerts = [a for a in desk.rows("alert") if a["subject"] == "P001_TXN_20191230_01"]
    assert sorted(a["state"] for a in alerts) == ["CLOSED", "OPEN"]
    (open_,) = [a for a in alerts if a["state"] == "OPEN"]
    assert f"{name} is REFUSED: the last line has no line end" in open_["words_en"]
    desk.put(version=2)
    assert desk.promise()["state"] == "LATE"
    with desk.register.transaction() as tx:
        events = [e["event"] for e in history(tx, "P001_TXN_20191230_01").events]
    assert events == ["EXPECTED", "MISSING", "LATE", "EXPECTED", "MISSING", "LATE"]


def test_what_is_on_its_way_is_said_in_the_alert(desk: Desk) -> None:
    desk.judge()
    desk.put(state="ANNOUNCED", seal_name="P001_SEAL_20191230_01_v1.json")
    desk.clock.set(DAY, 13)
    desk.judge()
    assert "seal P001_SEAL_20191230_01_v1.json came; its bytes are still on their way" in desk.rows("alert")[0]["words_en"]


def test_two_people_give_it_up_and_it_comes_all_the_same(desk: Desk) -> None:
    desk.judge()
    desk.clock.set(NEXT, 2)
    desk.judge()
    with desk.register.transaction() as tx:
        tx.update("recon_case", {"case_id": "c1"}, {"subject": f"LATE|P001|TXN|{DAY}"})
    number = propose_give_up(desk.register, desk.clock, "op1", "P001", "TXN", DAY, "lost")
    approve(desk.register, desk.clock, "sup1", GIVE_UP, number, "seen")
    assert [desk.promise(batch=batch)["state"] for batch in (1, 2)] == ["GIVEN_UP"] * 2
    assert {a["state"] for a in desk.rows("alert") if a["platform"] == "P001" and "TXN" in a["subject"]} == {"CLOSED"}
    desk.put()
    assert desk.promise()["state"] == "LATE"
    with desk.register.transaction() as tx:
        events = history(tx, "P001_TXN_20191230_01").events
        assert [(e["event"], e["actor"]) for e in events][2:] == [("GIVEN_UP", "sup1"), ("LATE", "system")]
        assert standing(tx, party="P001") == {("P001", DAY): {"GIVEN_UP": 1, "LATE": 1, "MISSING": 1},
                                              ("P001", NEXT): {"EXPECTED": 3}}  # fmt: skip


def test_an_instance_that_lives_in_the_past_is_judged_at_its_cut_offs(desk: Desk) -> None:
    """A sample of past days, or one that catches up: its files come years after every deadline, and are in time."""
    desk.clock.set(date(2026, 11, 27), 9)
    assert desk.judge() == Judged()
    name = desk.put("P002")
    judged = desk.cut_off()
    assert judged.opened == 4 and len(judged.missing) == 3
    assert (desk.promise("P002")["state"], desk.promise("P002")["file_name"]) == ("ARRIVED", name)
    assert {a["severity"] for a in desk.rows("alert")} == {"HIGH"}
    assert desk.judge() == Judged()
    desk.put()
    assert desk.promise()["state"] == "LATE"


def test_a_cut_off_does_not_miss_what_is_not_due(desk: Desk) -> None:
    cycle = {"days": "every_day", "batches": [{"cut_off": "24:00", "due": "T+1 10:00"}], "grace_minutes": 60}
    desk.party("CH01", {"file_types": ["SETTLEMENT"], "schedule": {"SETTLEMENT": cycle}})
    # New Year's Eve: the next business day is the 2nd.
    desk.clock.set(date(2026, 11, 27), 9)
    assert "CH01_SETTLEMENT_20191231_01" not in desk.cut_off(NEXT).missing
    assert "CH01_SETTLEMENT_20191231_01" in desk.cut_off(date(2020, 1, 1)).missing


def test_after_days_of_standing_still_the_days_between_are_written_down(desk: Desk) -> None:
    desk.judge()
    desk.clock.set(DAY + 3 * ONE_DAY, 8)
    judged = desk.judge()
    assert judged.opened == 12
    with desk.register.transaction() as tx:
        assert {on: counts.get("MISSING", 0) for (party, on), counts in standing(tx).items() if party == "P002"} == {
            DAY: 1, DAY + ONE_DAY: 1, DAY + 2 * ONE_DAY: 1, DAY + 3 * ONE_DAY: 0,
        }  # fmt: skip


def test_who_may_not_judge(desk: Desk) -> None:
    with pytest.raises(NotPermitted):
        judge_deadlines(desk.ports, "audit1", DAY, ())
    assert desk.rows("expected_file") == []
