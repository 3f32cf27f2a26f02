"""Dying at any point between an approval and its receipt loses nothing and doubles nothing: doing the same again ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from instance_kit import MemoryDrop, copy_of, seeds
from release_kit import MONTH_END, REG, Regulator, begin, day, onboard, proposed, sent

from connectors.bootstrap import Wiring, wire
from custody.services.four_eyes import approve
from custody.services.intake import collect
from custody.services.releases import RELEASE

PACKAGE = "custody_monthly_2019-12_r1.zip"


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Fuse:
    """Ends the process at the n-th point it passes; 0 never does."""

    at: int
    passed: int = 0

    def point(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed


class _Register:
    """Before, at the end of, and after each transaction."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self._fuse.point()
        with self._inner.transaction() as tx:
            yield tx
            self._fuse.point()
        self._fuse.point()

    def close(self) -> None:
        self._inner.close()


class _Around:
    """Before and after each call of these names."""

    def __init__(self, inner: Any, fuse: Fuse, names: tuple[str, ...]) -> None:
        self._inner, self._fuse, self._names = inner, fuse, names

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._names:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._fuse.point()
            result = found(*args, **kwargs)
            self._fuse.point()
            return result

        return call


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
        "register": _Register(inner, fuse),
        "drop": _Around(drop, fuse, ("deliver", "take", "remove", "lying", "inbox")),
        "archive": _Around(wiring.archive, fuse, ("keep",)),
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
