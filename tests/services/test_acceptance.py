"""What an acceptance test asks for, and for which contract it counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from stepping_clock import SteppingClock
from test_organisations import WORLD, key_of, with_fee

from connectors.register import SqlRegister
from custody.errors import NotPermitted, UsageError
from custody.party_status import PartyStatus
from custody.ports import Row
from custody.services.acceptance import AcceptanceTest, Fault, SampleRead, run_acceptance, to_be_tested
from custody.services.contract_changes import CONTRACT, propose_contract
from custody.services.four_eyes import approve
from custody.services.organisations import ONBOARD, propose_party
from custody.services.outbound import ExchangePorts
from custody.services.status_changes import STATUS, propose_status

DAY = date(2019, 12, 28)
TYPES = WORLD["PLATFORM"]["file_types"]


class Kept:
    def keep(self, data: bytes, sha256: str) -> str:
        self.data = data
        return "ref"


class Newcomer:
    """P009 is being onboarded; its samples are read as the test says."""

    def __init__(self, register: SqlRegister, clock: SteppingClock) -> None:
        self.register, self.clock, self.archive, self.faults = register, clock, Kept(), dict[str, list[Fault]]()
        self.ports: Any = ExchangePorts(register, clock, self.archive, None, None, None)  # type: ignore[arg-type]
        args = ("P009", "PLATFORM", "P009", "机构", WORLD["PLATFORM"], key_of("P009"), "new")
        approve(register, clock, "sup1", ONBOARD, propose_party(register, clock, "op1", *args, live_untested=False), "")

    def sample(self, file_type: str, state: str = "SAMPLE", rule: str | None = None, on: date = DAY, sha256: str = "a") -> None:
        row: Row = {
            "file_name": f"P009_{file_type}_{on:%Y%m%d}_01_v1.csv", "sha256": sha256 * 64, "party": "P009", "file_type": file_type,
            "custody_date": on, "batch": 1, "version": 1, "state": state, "rule": rule, "figures": "{}", "layout": "x/1", "bytes": 1,
            "totals": "{}", "archive_ref": "r", "received_at": self.clock.now().isoformat(timespec="microseconds"),
        }  # fmt: skip
        with self.register.transaction() as tx:
            tx.insert("file", row)

    def read(self, file: Row, dialect: Mapping[str, Any]) -> SampleRead:
        assert dialect == WORLD["PLATFORM"]["dialect"]
        faults = self.faults.get(file["file_type"], [])
        return SampleRead(10 - len(faults), len(faults), faults)

    def test(self, actor: str = "op1") -> AcceptanceTest:
        return run_acceptance(self.ports, self.read, actor, "P009")

    def go_live(self) -> str:
        return propose_status(self.register, self.clock, "op1", "P009", PartyStatus.LIVE, "tested")

    def waits(self) -> bool:
        with self.register.transaction() as tx:
            return to_be_tested(tx) == ["P009"]


@pytest.fixture
def newcomer(register: SqlRegister, clock: SteppingClock) -> Newcomer:
    return Newcomer(register, clock)


def test_every_daily_type_must_come_and_be_good(newcomer: Newcomer) -> None:
    with pytest.raises(UsageError, match="has sent no sample yet"):
        newcomer.test()
    assert not newcomer.waits()
    for file_type in TYPES[1:]:
        newcomer.sample(file_type)
    newcomer.sample(TYPES[0], "REFUSED", "announced_missing")
    newcomer.faults[TYPES[1]] = [Fault(3, "amount", "x", "amount", ("no amount", "不是金额"))]
    assert newcomer.waits()
    done = newcomer.test()
    assert (done.outcome, done.test_no, newcomer.waits()) == ("FAILED", 1, False)
    report = json.loads(newcomer.archive.data)
    by_type = {(f["file_type"], f["name"] != ""): f for f in report["files"]}
    assert (
        by_type[TYPES[0], True]["faults"][0]["rule"] == "announced_missing"
        and by_type[TYPES[0], False]["faults"][0]["rule"] == "sample_missing"
    )
    (fault,) = by_type[TYPES[1], True]["faults"]
    assert (fault["line"], fault["field"], fault["value"], fault["words_zh"]) == (3, "amount", "x", "不是金额")
    assert all(f["to_do_en"] and f["to_do_zh"] for one in report["files"] for f in one["faults"])
    assert {f["outcome"] for (file_type, _), f in by_type.items() if file_type in TYPES[2:]} == {"PASSED"}
    with pytest.raises(UsageError, match="failed its acceptance test 1, P009_ACCEPTANCE_20191228.json says why"):
        newcomer.go_live()


def test_the_same_samples_are_the_same_test_and_a_pass_counts_for_its_contract(newcomer: Newcomer) -> None:
    register, clock = newcomer.register, newcomer.clock
    for file_type in TYPES:
        newcomer.sample(file_type)
    first, again = newcomer.test(), newcomer.test("system")
    assert (first.outcome, first.test_no, again.test_no, again.report) == ("PASSED", 1, 1, first.report)
    newcomer.go_live()
    changed = propose_contract(register, clock, "op1", "P009", with_fee(vat_rate="0.03"), None, "negotiated")
    approve(register, clock, "sup1", CONTRACT, changed, "")
    with pytest.raises(UsageError, match="passed its acceptance test under another contract"):
        newcomer.go_live()
    second = newcomer.test()
    assert (second.outcome, second.test_no) == ("PASSED", 2)
    # An older set does not count beside a newer one that is bad.
    newcomer.sample(TYPES[0], on=date(2019, 12, 29), sha256="b")
    assert newcomer.waits() and newcomer.test().outcome == "FAILED"
    with pytest.raises(UsageError, match="failed its acceptance test 3"):
        newcomer.go_live()
    with pytest.raises(NotPermitted):
        newcomer.test("sup1")


def test_only_who_is_being_onboarded_is_tested(newcomer: Newcomer) -> None:
    for file_type in TYPES:
        newcomer.sample(file_type)
    newcomer.test()
    approve(newcomer.register, newcomer.clock, "sup1", STATUS, newcomer.go_live(), "")
    assert not newcomer.waits()
    with pytest.raises(UsageError, match="P009 is LIVE: only who is being onboarded is tested"):
        newcomer.test()
