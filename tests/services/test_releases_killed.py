"""Dying at any point between an approval and its receipt loses nothing and doubles nothing: doing the same again ends as if nothing had been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fuse import Around, Fuse, FusedRegister, Killed
from instance_kit import MemoryDrop, copy_of, seeds
from release_kit import MONTH_END, REG, Regulator, begin, day, onboard, proposed, sent

from connectors.bootstrap import Wiring, wire
from custody.services.four_eyes import approve
from custody.services.intake import collect
from custody.services.releases import RELEASE

PACKAGE = "custody_monthly_2019-12_r1.zip"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed instance in which a release waits for its second person."""
    folder = tmp_path_factory.mktemp("asked")
    begin(folder / "home")
    opened = wire(folder / "home")
    opened.__dict__["drop"] = MemoryDrop()
    day(opened, MONTH_END, {"": {"volume": 5}})
    onboard(opened, folder)
    proposed(opened)
    opened.close()
    return folder / "home"


def armed(home: Path, drop: MemoryDrop, fuse: Fuse) -> Wiring:
    wiring = wire(home)
    inner = wiring.register
    around = {
        "register": FusedRegister(inner, fuse),
        "drop": Around(drop, fuse, ("deliver", "take", "remove", "lying", "inbox")),
        "archive": Around(wiring.archive, fuse, ("keep",)),
    }
    wiring.__dict__.update(around)
    return wiring


def the_whole_way(wiring: Wiring, drop: MemoryDrop) -> None:
    """What scheduler and people repeat until it is done; the recipient answers each package once, when it lies there."""
    with wiring.register.transaction() as tx:
        (proposal,) = tx.find("proposal", kind="release")
    approve(wiring.register, wiring.clock, "checker", RELEASE, proposal["proposal_id"], "agreed")
    sent(wiring)
    regulator = Regulator(drop)
    if f"{PACKAGE}.seal" in drop.seals.get(REG, {}) and not drop.answered:  # type: ignore[attr-defined]
        regulator.answer(PACKAGE, "ACCEPTED")
        drop.answered = True  # type: ignore[attr-defined]
    sent(wiring)


def ends(home: Path, drop: MemoryDrop) -> dict[str, Any]:
    """All that must be so, whatever happened on the way."""
    wiring = wire(home)
    with wiring.register.transaction() as tx:
        (row,) = tx.find("report_release")
        found = {
            "state": (row["state"], row["release_no"], row["package_sha256"]),
            "events": [one["state"] for one in tx.find("report_event", ("event_no",))],
            "deliveries": [(one["file_name"], one["outcome"]) for one in tx.find("report_delivery")],
            "outbound": [(one["file_name"], one["state"]) for one in tx.find("outbound") if one["party"] == REG],
            "alerts": [one["rule"] for one in tx.find("alert") if one["rule"].startswith("REPORT_RE")],
            "lying": sorted(drop.sent.get(REG, {})),
            "left": (sorted(drop.arrived[REG]), sorted(drop.taken.get(REG, {}))),
        }
    wiring.close()
    return found


def run(home: Path, to: Path, at: int) -> tuple[dict[str, Any], int]:
    """Killed at the ``at``-th point, begun again until it is through; how many points there are."""
    copy_of(home, to)
    drop = MemoryDrop()
    drop.arrived[REG] = {}
    drop.answered = False  # type: ignore[attr-defined]
    fuse = Fuse(at)
    for _ in range(2):
        wiring = armed(to, drop, fuse)
        try:
            the_whole_way(wiring, drop)
            break
        except Killed:
            # A sweep for sealed files comes by: it must leave alone what was taken of receipts.
            plain = wire(to)
            plain.__dict__["drop"] = drop
            collect(plain.exchange_ports, plain.exchange_rules, "system", MONTH_END, plain.collect_limits)
            plain.close()
        finally:
            wiring.close()
    return ends(to, drop), fuse.passed


def test_killed_at_each_point_it_ends_as_if_nothing_had_been(asked: Path, tmp_path: Path) -> None:
    undisturbed, points = run(asked, tmp_path / "0", 0)
    assert undisturbed["state"][:2] == ("ACCEPTED", 1)
    assert undisturbed["events"] == ["DRAFT", "PROPOSED", "APPROVED", "SENT", "DELIVERED", "ACCEPTED"]
    assert undisturbed["left"] == ([], []) and undisturbed["lying"] == [PACKAGE] and points > 40
    # All of them in `make soak`.
    for at in range(1, points + 1, 1 if len(seeds(1)) > 1 else 4):
        found, _ = run(asked, tmp_path / str(at), at)
        # The package says when it was decided: of two runs two moments.
        states = [{**one, "state": one["state"][:2]} for one in (found, undisturbed)]
        assert states[0] == states[1], f"killed at point {at} of {points}"
