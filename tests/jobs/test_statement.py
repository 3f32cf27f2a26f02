"""The day's statements, made by one engine job, against each account's own from the keyed store: the same, line by line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened

from custody.calendar import dates
from custody.services.access import SYSTEM
from custody.services.statements import month_of, statement
from custody.steps import LEDGER_STEPS
from jobs import statement as job
from jobs.registry import step_named
from jobs.step import run_step

# The ledger's and its statements: nothing else is needed here.
STEPS = (*LEDGER_STEPS, "statement")
FIRST, SECOND = dates(GO_LIVE, 2)
SAME = (
    "entry_no", "txn_type", "request_no", "leg", "event_time", "value_date", "available_change_minor", "frozen_change_minor",
    "available_minor", "frozen_minor", "balance_minor", "loan_id",
)  # fmt: skip


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("statements")
    world = make_world(folder / "world", [], seed=11, days=2)
    with opened(make_instance(folder / "home", world)) as instance, pytest.MonkeyPatch.context() as patch:
        # One platform of this size does not fit at once.
        patch.setattr(job, "_AT_ONCE", 60)
        for on in (FIRST, SECOND):
            instance.deliver(world, on)
            for name in STEPS:
                run_step(instance.wiring, step_named(name), on, SYSTEM, among=STEPS)
        yield instance


@pytest.mark.parametrize("on", [FIRST, SECOND])
def test_the_job_and_the_keyed_store_say_the_same_line_by_line(two_days: Instance, on: date) -> None:
    sealed: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in two_days.lake_rows(on, "statement", "statement_lines"):
        sealed[row["sub_account"]].append(row)
    assert len({account.partition(".")[0] for account in sealed}) == 3
    reader = two_days.wiring.ledger_reader
    for row in two_days.lake_rows(on, "post", "sub_accounts"):
        account = row["sub_account"]
        found = statement(reader, account, on, on)
        assert found.agrees
        opening, *lines = sealed.get(account, [None])
        assert [{name: line[name] for name in SAME} for line in lines] == [
            {name: getattr(line, name) for name in SAME} for line in found.lines
        ]
        if opening is not None:
            assert (opening["txn_type"], opening["value_date"], opening["line_no"]) == ("OPENING", on, 0)
            assert (opening["available_minor"], opening["frozen_minor"]) == (
                found.opening.available_minor, found.opening.frozen_minor,
            )  # fmt: skip


def test_one_month_is_its_days(two_days: Instance) -> None:
    reader = two_days.wiring.ledger_reader
    for row in two_days.lake_rows(SECOND, "post", "sub_accounts"):
        first, last = month_of("2019-12")
        month = statement(reader, row["sub_account"], first, last)
        days = [statement(reader, row["sub_account"], on, on) for on in (FIRST, SECOND)]
        assert month.lines == days[0].lines + days[1].lines
        assert (month.last, month.opening, month.closing) == (SECOND, days[0].opening, days[1].closing)
        assert days[0].closing == days[1].opening


def test_platforms_are_taken_together_as_far_as_they_fit() -> None:
    counted = [("A", 5), ("B", 4), ("C", 20), ("D", 1), ("E", 9), ("F", 1)]
    assert list(job.platform_ranges(counted, 10)) == [("A", "B"), ("C", "C"), ("D", "E"), ("F", "F")]
    assert list(job.platform_ranges([], 10)) == []


def test_accounts_are_shared_out_by_how_often_they_moved() -> None:
    assert job.account_bounds(list("aabbccdd"), 4) == ["b", "c", "d"]
    # One that alone has as many as a share or more stands by itself, and a last one leaves nothing behind it.
    assert job.account_bounds(list("abbbbbbc"), 4) == ["b", "c"]
    assert job.account_bounds(list("aaaaaaab"), 4) == ["a", "b"]
    assert job.account_bounds(list("abbbbbbb"), 4) == ["b"]
    assert job.account_bounds(["a"], 3) == ["a"]
