"""A platform's monthly figures: awaited, expected when they are late, and compared with our books on the day they land."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from instance_kit import Instance, make_instance, make_world, opened

from custody.calendar import dates
from custody.disclosure import FIGURE_WORDS
from custody.money import round_minor
from schemas.exchange import Seal, SealedFile, sha256_hex
from schemas.layout import load_layout
from schemas.layout_file import control_totals, write_file
from simulator.schedule import schedule
from simulator.simulate import SimulationConfig, true_days

P, START, END = "P001", date(2019, 12, 27), date(2019, 12, 31)
SIZE = {"platforms": 1, "channels": 1, "lenders": 8, "loans": 12, "days": 6}
LAYOUT = "platform_disclosure/1"
LANDING = ("cut_off", "land")


def home(folder: Path) -> tuple[Path, Path]:
    """An instance whose platform is to publish its figures, and its world."""
    world = make_world(folder / "world", [], seed=3, start=START, **SIZE)
    path = world / "world.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    next(party for party in said["parties"] if party["party"] == P)["layouts"]["DISCLOSURE"] = [LAYOUT]
    path.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
    return make_instance(folder / "home", world, START), world


def publish(instance: Instance, row: dict[str, Any], today: date, version: int = 1) -> None:
    layout = load_layout(LAYOUT)
    data = write_file(layout, [row], "utf-8", END)
    name = f"{P}_DISCLOSURE_{END:%Y%m%d}_60_v{version}.csv"
    totals = control_totals(layout, [row])
    file = SealedFile(
        name=name, layout=LAYOUT, encoding="utf-8", bytes=len(data), rows=1, sha256=sha256_hex(data), totals=totals, batches=1
    )
    seal = Seal(party=P, custody_date=END.isoformat(), batch=60, version=version, files=[file])
    instance.drop.put(P, name, data)
    instance.drop.put(P, f"{P}_SEAL_{END:%Y%m%d}_60_v{version}.json", seal.to_bytes())
    instance.collect(today)


def figures_of_the_world() -> dict[str, Any]:
    """From what truly happened up to the month's end, by the simulator's own schedules."""
    paid: dict[str, Counter[str]] = defaultdict(Counter)
    guaranteed: dict[str, set[str]] = defaultdict(set)
    ever: set[str] = set()
    for truth in true_days(SimulationConfig(**SIZE, start=START, seed=3)):
        if truth.day > END:
            break
        own = truth.platforms[P]
        ever |= {str(claim["holder_user_no"]) for claim in own.claims if claim["holder_role"] == "LENDER"}
        for move in own.instructions:
            if move.txn_type.value in ("REPAYMENT", "COMPENSATION", "COMPENSATION_REPAYMENT"):
                for part in ("principal_minor", "interest_minor"):
                    paid[str(move.loan_id)][f"{move.txn_type.value}.{part}"] += getattr(move, part) or 0
                paid[str(move.loan_id)][move.txn_type.value] += move.amount_minor
            if move.txn_type.value == "COMPENSATION":
                guaranteed[str(move.loan_id)].add(move.request_no)
    loans = [row for row in own.loans if row["disbursed_on"] is not None]
    claims: Counter[str] = Counter()
    to_lenders: Counter[str] = Counter()
    for claim in own.claims:
        claims[str(claim["loan_id"])] += claim["principal_minor"]  # type: ignore[operator]
        to_lenders[str(claim["loan_id"])] += claim["principal_minor"] if claim["holder_role"] == "LENDER" else 0  # type: ignore[operator]
    by_borrower: Counter[str] = Counter()
    interest = overdue = late = 0
    for row in loans:
        loan = str(row["loan_id"])
        by_borrower[str(row["borrower_user_no"])] += claims[loan]
        if not to_lenders[loan]:
            continue
        names = ("annual_rate", "periods", "every", "method", "day_count", "disbursed_on")
        rows = schedule(principal_minor=row["raised_minor"], **{n: row[n] for n in names})  # type: ignore[arg-type]
        got = {
            part: paid[loan][f"REPAYMENT.{part}"] + paid[loan][f"COMPENSATION.{part}"]
            for part in ("principal_minor", "interest_minor")
        }
        interest += sum(one.interest_minor for one in rows) - got["interest_minor"]
        due = sum(one.amount_minor for one in rows if one.due <= END) - sum(got.values())
        missed = max(0, due - sum(one.amount_minor for one in rows if one.due == END))
        overdue, late = overdue + missed, late + (missed > 0)
    balance, owing = sum(claims.values()), {loan for loan, minor in claims.items() if minor}
    largest = sorted(by_borrower.values(), reverse=True)

    def share(part: int, whole: int) -> str:
        return f"{round_minor(Fraction(part * 10_000, whole), 'half_up') / 10_000:.4f}"

    return {
        "lent_minor": sum(row["raised_minor"] for row in loans), "loans": len(loans),  # type: ignore[misc]
        "balance_minor": balance, "balance_loans": len(owing), "interest_balance_minor": interest,
        "lenders_ever": len(ever), "lenders": len({c["holder_user_no"] for c in own.claims if c["holder_role"] == "LENDER"}),
        "borrowers_ever": len({row["borrower_user_no"] for row in loans}), "borrowers": sum(minor > 0 for minor in largest),
        "ten_largest_share": share(sum(largest[:10]), balance), "largest_share": share(largest[0], balance),
        "related_balance_minor": 0, "related_loans": 0,
        "overdue_minor": overdue, "overdue_loans": late, "overdue_90_minor": 0, "overdue_90_loans": 0,
        "compensated_minor": sum(sums["COMPENSATION"] for sums in paid.values()), "compensations": sum(map(len, guaranteed.values())),
        "overdue_share": share(overdue, balance), "overdue_loans_share": share(late, len(owing)), "currency": "CNY", "as_of": END,
    }  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The figures come on New Year's Day, one of them wrong; days up to it are whole."""
    path, world = home(tmp_path_factory.mktemp("disclosure"))
    with opened(path) as instance:
        for on in dates(START, SIZE["days"]):
            instance.deliver(world, on)
            if on > END:
                right = figures_of_the_world()
                publish(instance, right | {"overdue_minor": right["overdue_minor"] + 100, "lenders": right["lenders"] - 1}, on)
            instance.run_day(on)
        yield instance


def test_our_figures_are_the_worlds_and_what_is_not_is_a_case(published: Instance) -> None:
    right, day = figures_of_the_world(), END + timedelta(days=1)
    assert right["overdue_minor"] and right["compensations"] and right["interest_balance_minor"], "a world that tests little"
    rows = {row["figure"]: row for row in published.lake_rows(day, "reconcile", "disclosures")}
    assert {name: row["ours"] for name, row in rows.items()} == {name: str(right[name]) for name in FIGURE_WORDS}
    wrong = {"overdue_minor", "lenders"}
    assert {name for name, row in rows.items() if row["verdict"] != "AGREES"} == wrong
    breaks = {row["subject"]: row for row in published.lake_rows(day, "reconcile", "breaks")}
    assert set(breaks) == {f"DISCLOSURE|2019-12-31|{name}" for name in wrong}
    found = breaks["DISCLOSURE|2019-12-31|overdue_minor"]
    assert (found["kind"], found["sides"], found["amount_minor"]) == ("DISCLOSURE", "AB", 100)
    evidence = json.loads(found["evidence"])
    said = {row["side"]: row for row in evidence}
    assert said["A"]["overdue_minor"] - said["B"]["overdue_minor"] == 100
    assert said["-"]["loans_behind"] == right["overdue_loans"] and said["A"]["row_ref"].endswith("_60_v1.csv:2")
    assert published.failing_proofs() == []


def test_the_figures_are_awaited_five_working_days_and_then_they_are_late(tmp_path: Path) -> None:
    path, _ = home(tmp_path)
    due = date(2020, 1, 8)

    def of_disclosure(instance: Instance, on: date) -> list[str]:
        rows = instance.lake_rows(on, "land", "file_outcomes")
        return [row["outcome"] for row in rows if row["file_type"] == "DISCLOSURE" and row["custody_date"] == END]

    with opened(path) as instance:
        seen = {}
        for on in dates(START, 15):
            if on == due + timedelta(days=2):
                publish(instance, figures_of_the_world(), on)
            for step in LANDING:
                instance.step(step, on)
            seen[on] = of_disclosure(instance, on)
    assert all(not found for on, found in seen.items() if on <= END)
    assert all(found == ["AWAITED"] for on, found in seen.items() if END < on < due)
    assert seen[due] == seen[due + timedelta(days=1)] == ["EXPECTED"]
    assert seen[due + timedelta(days=2)] == ["LANDED"]
