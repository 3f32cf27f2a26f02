"""Running again what is committed changes nothing; running out of order, or over other inputs, is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from instance_kit import Instance, opened
from kill_kit import CopyOf, TwoDays

from custody.errors import OutOfOrder, RetryLater, StopRun
from custody.steps import STEPS, reads


def lake_files(home: Path) -> dict[str, str]:
    """Every file of the lake with its digest."""
    lake = home / "lake"
    return {
        str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest() for path in lake.rglob("*") if path.is_file()
    }


def whole_register(instance: Instance) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, times and hashes too; but for the lease, which counts how often it was taken."""
    tables = (
        "person", "party", "proposal", "file", "file_event", "outbound", "step_output", "publication", "recon_case", "alert",
        "holiday", "audit_event",
    )  # fmt: skip
    return {table: instance.find(table) for table in tables}


def test_a_finished_day_run_again_changes_nothing(two_days: TwoDays, fresh: CopyOf) -> None:
    with opened(fresh(two_days.home)) as instance:
        home = instance.wiring.settings.home
        before = lake_files(home), whole_register(instance), list(instance.keyed_rows().items())
        assert len(before[0]) > 2 * len(STEPS) and before[2][0][1]
        for on in (two_days.days[1], two_days.days[0]):
            for step in STEPS:
                first = instance.find("step_output", custody_date=on, step=step)
                again = instance.step(step, on)
                assert again.outcome == "unchanged"
                assert [again.seal.manifest_digest] == [row["manifest_digest"] for row in first]
        assert before == (lake_files(home), whole_register(instance), list(instance.keyed_rows().items()))


def test_files_delivered_again_change_no_day(two_days: TwoDays, fresh: CopyOf) -> None:
    with opened(fresh(two_days.home)) as instance:
        before = instance.find("step_output")
        files = [{k: v for k, v in f.items() if k not in ("received_at", "seal_name")} for f in instance.find("file")]
        result = instance.deliver(two_days.world, two_days.days[1])
        assert set(result.counts()) <= {"SAME_AGAIN", "REFUSED", "QUARANTINED"} and result.counts()["SAME_AGAIN"] > 15
        assert [instance.step(step, two_days.days[1]).outcome for step in STEPS] == ["unchanged"] * len(STEPS)
        assert instance.find("step_output") == before
        assert [{k: v for k, v in f.items() if k not in ("received_at", "seal_name")} for f in instance.find("file")] == files


@pytest.mark.parametrize(
    ("step", "day", "error"),
    [
        ("land", 2, OutOfOrder),
        ("post", 2, OutOfOrder),
        ("reconcile", 2, OutOfOrder),
        ("close", 2, OutOfOrder),
        # An earlier day may be on its way: the scheduler tries again.
        ("cut_off", 3, RetryLater),
        ("post", 3, (RetryLater, OutOfOrder)),
    ],
)
def test_a_step_asked_out_of_order_is_refused(
    two_days: TwoDays, fresh: CopyOf, step: str, day: int, error: type[Exception]
) -> None:
    with opened(fresh(two_days.home)) as instance:
        before = lake_files(instance.wiring.settings.home), whole_register(instance)
        with pytest.raises(error, match="not committed"):
            instance.step(step, two_days.days[day])
        assert before == (lake_files(instance.wiring.settings.home), whole_register(instance))


def test_days_before_the_first_are_refused(two_days: TwoDays, fresh: CopyOf) -> None:
    with opened(fresh(two_days.home)) as instance, pytest.raises(OutOfOrder, match="before the instance's first"):
        instance.step("cut_off", two_days.days[0].replace(day=29))


def test_no_step_runs_before_what_it_reads(two_days: TwoDays, fresh: CopyOf) -> None:
    on, go_live = two_days.days[2], two_days.days[0]
    with opened(fresh(two_days.home)) as instance:
        instance.deliver(two_days.world, on)
        done: list[str] = []
        for step in STEPS[:5]:
            for other in STEPS:
                if not {ref.step for ref in reads(other, on, go_live) if ref.custody_date == on} <= set(done):
                    with pytest.raises(OutOfOrder, match="not committed"):
                        instance.step(other, on)
            assert instance.step(step, on).outcome == "committed"
            done.append(step)
        assert [r["step"] for r in instance.find("step_output", custody_date=on)] == sorted(done)


def test_other_inputs_need_a_reason_and_make_a_new_version(two_days: TwoDays, fresh: CopyOf) -> None:
    with opened(fresh(two_days.home)) as instance:
        on = two_days.days[1]
        (known,) = instance.find("step_output", custody_date=on, step="reconcile")
        late = {"account": "P001:CUSTODY", "core_date": on.isoformat(), "seq": 999, "amount_minor": 12_345, "currency": "CNY"}
        late |= {"core_ref": "LATE1", "counterparty": "?", "narrative": "?", "booked_at": f"{on.isoformat()}T15:00:00+08:00"}
        instance.wiring.core.load([late], [])
        # A sealed extract does not see what the core did afterwards, until a person says why it should.
        assert instance.step("extract", on).outcome == "unchanged"
        assert instance.step("reconcile", on).outcome == "unchanged"
        second = instance.step("extract", on, reason="the core booked a flow after its extract")
        assert (second.outcome, second.seal.version) == ("committed", 2)
        for step in ("reconcile", "close"):
            with pytest.raises(StopRun, match="other inputs"):
                instance.step(step, on)
        again = instance.step("reconcile", on, reason="a new extract")
        assert (again.outcome, again.seal.version) == ("committed", 2)
        assert ("CORE|P001:CUSTODY|LATE1", "MISSING_IN_LEDGER") in {
            (b["subject"], b["kind"]) for b in instance.lake_rows(on, "reconcile", "breaks")
        }
        first, new = instance.find("step_output", custody_date=on, step="reconcile")
        assert first == known and new["reason"] == "a new extract" and new["manifest_digest"] != known["manifest_digest"]
        assert instance.step("reconcile", on).outcome == "unchanged"
        events = [json.loads(e["details"]) for e in instance.find("audit_event", action="step.reconcile")]
        assert events[-1]["version"] == 2 and events[-1]["reason"] == "a new extract"
        assert instance.damage() == []


def test_a_file_after_the_cut_off_waits_for_the_next_day(two_days: TwoDays, fresh: CopyOf) -> None:
    with opened(fresh(two_days.home)) as instance:
        on, next_day = two_days.days[2], two_days.days[3]
        instance.deliver(two_days.world, on, without=["P001"])
        instance.step("cut_off", on)
        late = instance.deliver_party(two_days.world, on, "P001", today=on)
        assert set(late.counts()) <= {"LATE", "REFUSED"} and late.counts()["LATE"] >= 4
        assert instance.step("cut_off", on).outcome == "unchanged"
        instance.step("land", on)
        outcomes = instance.lake_rows(on, "land", "file_outcomes")
        own = {o["outcome"] for o in outcomes if o["party"] == "P001" and o["custody_date"] == on}
        assert own == {"EXPECTED"}
        assert not [r for r in instance.lake_rows(on, "land", "land_txn") if r["party"] == "P001" and r["custody_date"] == on]
        for step in STEPS[2:]:
            instance.step(step, on)
        instance.deliver(two_days.world, next_day)
        instance.run_day(next_day, STEPS[:2])
        landed = [r for r in instance.lake_rows(next_day, "land", "land_txn") if r["party"] == "P001" and r["custody_date"] == on]
        assert landed
