"""Keys that are null, doubled and used again; currencies mixed; a party with many rows beside one with none; a day without a file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from changed_days import Market, Rows, breaks, file_of, market_after_its_first_day, put_day, send_changed
from instance_kit import GO_LIVE, Instance, copy_core, opened
from kill_kit import CopyOf

from custody.calendar import dates
from schemas.layout import load_layout
from schemas.layout_file import parse_file

FIRST, SECOND, THIRD = dates(GO_LIVE, 3)
P, QUIET = "P001", "P002"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return market_after_its_first_day(tmp_path_factory.mktemp("bad_rows"), platforms=2)


def claims(world: Path, party: str, on: date) -> Rows:
    path = file_of(world, party, "TXN", on)
    return parse_file(load_layout("platform_txn/1"), path.name, path.read_bytes(), "utf-8", on).rows


def subject(row: dict[str, Any]) -> str:
    return f"TXN|{row['request_no']}|{row['leg']}"


def core_rows(instance: Instance, world: Path, on: date, *flows: dict[str, Any]) -> None:
    """The core's own day, and more flows that nobody expects."""
    copy_core(instance, world, on)
    same = {"core_date": on.isoformat(), "counterparty": "?", "narrative": "?", "booked_at": f"{on.isoformat()}T10:00:00+08:00"}
    instance.wiring.core.load([{**same, "account": f"{P}:CUSTODY", "seq": 900 + n, **f} for n, f in enumerate(flows)], [])


def test_keys_and_currencies_of_every_bad_kind_on_one_day(sound: Market, fresh: CopyOf) -> None:
    yesterday, today = claims(sound.world, P, FIRST), claims(sound.world, P, SECOND)
    twice, other, before = today[0], today[1], yesterday[0]
    in_file = other | {"amount_minor": other["amount_minor"] + 1}  # type: ignore[operator]
    on_dates = before | {"amount_minor": before["amount_minor"] + 1, "event_time": twice["event_time"]}  # type: ignore[operator]
    booked = {"currency": "CNY", "amount_minor": 700}
    with opened(fresh(sound.home)) as instance:
        put_day(instance, sound, SECOND)
        send_changed(instance, sound, P, "TXN", SECOND, lambda rows: [*rows, twice, in_file, on_dates])
        # Of a party that sends no row at all every movement is missing; the other's are judged as ever.
        send_changed(instance, sound, QUIET, "TXN", SECOND, lambda rows: [])
        blank = booked | {"core_ref": ""}
        mixed = booked | {"core_ref": "MIXED"}
        core_rows(instance, sound.world, SECOND, blank, blank | {"amount_minor": -700}, mixed, mixed | {"currency": "USD"})
        instance.collect(SECOND)
        instance.run_day(SECOND)
        found = {(kind, what) for kind, what in breaks(instance, SECOND) if not what.startswith(("INV|", "CHAIN|", "SHADOW|"))}
        silent = {("MISSING_IN_PLATFORM", subject(row)) for row in claims(sound.world, QUIET, SECOND)}
        expected = {("DUPLICATE", subject(row)) for row in (twice, other, before)}
        expected |= {("ORPHAN", f"CORE|{P}:CUSTODY|{SECOND.isoformat()}:{seq}") for seq in (900, 901)}
        expected |= {("MISSING_IN_LEDGER", f"CORE|{P}:CUSTODY|MIXED")}
        assert found == silent | expected
        assert len(silent) > 10 and instance.failing_proofs() == []


def test_a_day_without_a_file_closes_and_the_next_day_heals_it(sound: Market, fresh: CopyOf) -> None:
    with opened(fresh(sound.home)) as instance:
        copy_core(instance, sound.world, SECOND)
        instance.run_day(SECOND)
        found = instance.lake_rows(SECOND, "reconcile", "breaks")
        assert [(b["kind"], b["subject"], b["evidence"]) for b in found if b["kind"] != "LATE_FILE"] == []
        assert {b["platform"] for b in found} == {"P001", "P002", "GW", "CH01", "CH02"}
        assert instance.failing_proofs() == []
        instance.deliver(sound.world, SECOND)
        instance.deliver(sound.world, THIRD)
        instance.run_day(THIRD)
        assert breaks(instance, THIRD) == set()
        assert instance.failing_proofs() == [] and instance.damage() == []
