"""What arrives instead of sound file sets: pure functions, tried on sets made by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from schemas.exchange import ExchangeName, Seal, SealedFile, parse_seal, sha256_hex
from simulator.edits import FaultPlan
from simulator.spoil import FILE_SPOILERS, SET_SPOILERS, FileSet, spoil

DAY = date(2020, 1, 2)
BALANCE = b"role,user_no,available,frozen,currency\nLENDER,U1,1.00,0.00,CNY\nLENDER,U2,2.50,0.00,CNY\n"
CLAIM = b"claim_id,loan_id,holder_role,holder_user_no,principal,currency\nC1,L1,LENDER,U1,9.00,CNY\n"


def _sent(file_type: str, data: bytes, totals: dict[str, str], batch: int) -> tuple[SealedFile, bytes]:
    entry = SealedFile(
        name=str(ExchangeName("P001", file_type, DAY, batch, 1)),
        layout=f"platform_{file_type.lower()}/1",
        encoding="utf-8",
        bytes=len(data),
        rows=data.count(b"\n") - 1,
        sha256=sha256_hex(data),
        totals=totals,
        batches=1,
    )
    return entry, data


def _whole(batch: int = 1) -> FileSet:
    files = (
        _sent("BALANCE", BALANCE, {"available": "3.50", "frozen": "0.00"}, batch),
        _sent("CLAIM", CLAIM, {"principal": "9.00"}, batch),
    )
    return FileSet(ExchangeName("P001", "SEAL", DAY, batch, 1), files)


def _arrivals(plan: FaultPlan, sets: list[FileSet]) -> list[tuple[date, dict[str, bytes]]]:
    return [(day, one.contents()) for day, one in spoil(plan, "P001", DAY, sets)]


def _is_whole(contents: dict[str, bytes]) -> bool:
    """Whether the seal is one, and every file it names is there as it says."""
    seals = [parse_seal(data) for name, data in contents.items() if "_SEAL_" in name]
    if len(seals) != 1 or not isinstance(seals[0], Seal) or seals[0].party != "P001" or seals[0].custody_date != DAY.isoformat():
        return False
    named = {entry.name: entry.sha256 for entry in seals[0].files}
    return named == {name: sha256_hex(data) for name, data in contents.items() if "_SEAL_" not in name}


def test_a_sound_set_passes_as_it_is() -> None:
    ((day, contents),) = _arrivals(FaultPlan(), [_whole()])
    assert day == DAY and _is_whole(contents) and len(contents) == 3


def test_faults_of_another_date_or_party_change_nothing() -> None:
    plan = FaultPlan(
        files={("P002", "BALANCE", DAY): "file_digest", ("P001", "BALANCE", DAY + timedelta(days=1)): "file_digest"},
        sets={("P002", DAY): "seal_missing"},
    )
    assert _arrivals(plan, [_whole()]) == _arrivals(FaultPlan(), [_whole()])


@pytest.mark.parametrize("kind", FILE_SPOILERS)
def test_a_file_fault_leaves_the_other_file_alone(kind: str) -> None:
    arrived = _arrivals(FaultPlan(files={("P001", "BALANCE", DAY): kind}), [_whole()])
    assert arrived != _arrivals(FaultPlan(), [_whole()])
    today = next(contents for day, contents in arrived if day == DAY)
    assert today["P001_CLAIM_20200102_01_v1.csv"] == CLAIM
    assert all("CLAIM" not in name for day, contents in arrived if day != DAY for name in contents)


@pytest.mark.parametrize("kind", SET_SPOILERS)
def test_a_set_fault_is_made_good_or_repeats_what_was(kind: str) -> None:
    arrived = _arrivals(FaultPlan(sets={("P001", DAY): kind}), [_whole()])
    assert arrived != _arrivals(FaultPlan(), [_whole()])
    by_the_end: dict[str, bytes] = {}
    for _, contents in sorted(arrived, key=lambda one: one[0]):
        by_the_end |= contents
    assert _is_whole(by_the_end)


def test_two_faults_of_one_set_come_again_under_one_seal_each() -> None:
    plan = FaultPlan(files={("P001", "BALANCE", DAY): "file_truncated", ("P001", "CLAIM", DAY): "seal_size"})
    (_, today), (tomorrow, again) = _arrivals(plan, [_whole()])
    assert not _is_whole(today)
    assert tomorrow == DAY + timedelta(days=1) and _is_whole(again)
    assert set(again) == {
        "P001_BALANCE_20200102_01_v2.csv",
        "P001_CLAIM_20200102_01_v2.csv",
        "P001_SEAL_20200102_01_v2.json",
    }
    assert again["P001_BALANCE_20200102_01_v2.csv"] == BALANCE


def test_a_late_file_takes_a_batch_number_that_nobody_uses() -> None:
    arrived = _arrivals(FaultPlan(files={("P001", "BALANCE", DAY): "late_file"}), [_whole(1), _whole(2)])
    late = {day: sorted(contents) for day, contents in arrived if day != DAY}
    assert late == {DAY + timedelta(days=2): ["P001_BALANCE_20200102_03_v1.csv", "P001_SEAL_20200102_03_v1.json"]}


@pytest.mark.parametrize(
    "plan", [FaultPlan(files={("P001", "BALANCE", DAY): "late_file"}), FaultPlan(sets={("P001", DAY): "seal_unreadable"})]
)
def test_what_is_sent_that_day_of_a_month_that_ended_is_left_alone(plan: FaultPlan) -> None:
    month = FileSet(ExchangeName("P001", "SEAL", date(2019, 12, 31), 60, 1), (_sent("BALANCE", BALANCE, {}, 60),))
    arrived = _arrivals(plan, [month, _whole()])
    assert (DAY, month.contents()) in arrived
    assert [one for one in arrived if one != (DAY, month.contents())] == _arrivals(plan, [_whole()])


def test_the_first_batch_comes_after_the_last() -> None:
    arrived = _arrivals(FaultPlan(sets={("P001", DAY): "batches_out_of_order"}), [_whole(1), _whole(2)])
    assert [(day, "_02_v1.csv" in min(contents)) for day, contents in arrived] == [(DAY, True), (DAY + timedelta(days=1), False)]
    assert all(_is_whole(contents) for _, contents in arrived)
