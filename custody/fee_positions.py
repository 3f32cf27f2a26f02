"""Invariant 11 of each platform, from what days sealed: accrued = charged + to be charged; charged = collected + written off + outstanding.

An arrear is outstanding, and no breach. A breach is that the bank holds more than was charged and nobody has decided to give it back;
that is what stands behind ``surplus_minor``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from custody.posting_rules import RECOVER, WRITE_OFF

# Kinds of decisions that move it; what they say, custody.services.fee_charges and fee_surplus.
CHARGED, GIVEN_UP, GIVE_BACK = "fee_charge", "fee_write_off", "fee_give_back"
Leg = Mapping[str, Any]


@dataclass(frozen=True)
class Position:
    """In minor units with VAT, since the platform's first day. ``accrued_minor`` is as of the evening, the others as posted by it.
    ``to_give_back_minor``: what two people have decided to give back and the core has not given yet."""

    platform: str
    accrued_minor: int = 0
    charged_minor: int = 0
    collected_minor: int = 0
    written_off_minor: int = 0
    to_give_back_minor: int = 0

    @property
    def to_be_charged_minor(self) -> int:
        """Below nothing: a period was re-rated, and the difference is to be given back."""
        return self.accrued_minor - self.charged_minor

    @property
    def outstanding_minor(self) -> int:
        return self.charged_minor - self.collected_minor - self.written_off_minor

    @property
    def surplus_minor(self) -> int:
        """What was collected beyond all that was charged, and is not on its way back."""
        return max(0, -self.outstanding_minor - self.to_give_back_minor)


@dataclass(frozen=True)
class Entry:
    """What the bank itself enters into its book the next day, of which charge; ``fee_minor``: the VAT in it."""

    platform: str
    direction: str
    amount_minor: int
    currency: str
    request_no: str
    charge_no: str
    leg: int = 1
    fee_minor: int = 0


@dataclass(frozen=True)
class WriteOff:
    """Of a charge what is written off and was not paid since."""

    platform: str
    charge_no: str
    left_minor: int


@dataclass(frozen=True)
class Moved:
    positions: dict[str, Position] = field(default_factory=dict)
    write_offs: dict[str, WriteOff] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


def charge_of_request(request_no: str) -> str:
    """The charge under whose number, with the number of the try behind it, the core answers."""
    return request_no.rpartition("-")[0]


def recovery_number(request_no: str, leg: int) -> str:
    """Under which the bank enters what a leg paid of a charge that was written off."""
    return f"RECOVERY-{request_no}-{leg}"


def moved(
    positions: Iterable[Position], write_offs: Iterable[WriteOff], decisions: Iterable[Mapping[str, Any]], legs: Iterable[Leg]
) -> Moved:
    """The positions of an evening, but for what accrued, from those of the evening before, what its cut-off sealed and what it posted
    (legs of CUSTODY_FEE, OUT and IN, that were posted)."""
    found = Moved({one.platform: one for one in positions}, {one.charge_no: one for one in write_offs})

    def change(platform: str, **by: int) -> None:
        before = found.positions.get(platform, Position(platform))
        found.positions[platform] = replace(before, **{name: getattr(before, name) + minor for name, minor in by.items()})

    for kind, subject, said in _decided(decisions):
        platform = said["platform"]
        if kind == CHARGED:
            gross = said["net_minor"] + said["vat_minor"]
            change(platform, charged_minor=gross, to_give_back_minor=max(0, -gross - said["set_off_minor"]))
        elif kind == GIVE_BACK:
            change(platform, to_give_back_minor=said["amount_minor"])
        else:
            change(platform, written_off_minor=said["amount_minor"])
            found.write_offs[subject] = WriteOff(platform, subject, said["amount_minor"])
            entry = Entry(platform, WRITE_OFF, said["amount_minor"], said["currency"], f"WRITE-OFF-{subject}", subject)
            found.entries.append(entry)
    for leg in legs:
        platform, minor = leg["platform"], leg["amount_minor"]
        if leg["direction"] == "IN":
            change(platform, collected_minor=-minor, to_give_back_minor=-minor)
            continue
        change(platform, collected_minor=minor)
        of = found.write_offs.get(charge_of_request(leg["request_no"]))
        if of is not None and of.platform == platform and of.left_minor:
            paid = min(minor, of.left_minor)
            change(platform, written_off_minor=-paid)
            found.write_offs[of.charge_no] = replace(of, left_minor=of.left_minor - paid)
            number = recovery_number(leg["request_no"], leg["leg"])
            found.entries.append(Entry(platform, RECOVER, paid, leg["currency"], number, of.charge_no))
    return found


def _decided(decisions: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for decision in decisions:
        if decision["outcome"] == "APPROVED" and decision["kind"] in (CHARGED, GIVEN_UP, GIVE_BACK):
            yield decision["kind"], decision["subject"], json.loads(decision["payload"])


def position_of(row: Mapping[str, Any]) -> Position:
    """From a row of table fee_positions."""
    return Position(**{one.name: row[one.name] for one in fields(Position)})
