"""What moved over the weeks that rules look back to: read once to tell whom it could concern (jobs.compliance.picked), and once more for
these customers' rows alone, by ranges of ids where even they are too many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from custody.compliance import BASIS_POINTS
from jobs.compliance.acts import LAST_ACTS, whose_turn
from jobs.compliance.columns import DAYS, plain
from jobs.compliance.day import ComplianceDay
from jobs.compliance.picked import Sums, bits_for, places
from jobs.compliance.shares import IdRange, id_ranges

_EPOCH = date(1970, 1, 1)
_WORDS = ("platform", "kind")
_COLUMNS = tuple(DAYS.names)
_WINDOW = pa.schema([*(pa.field("on" if f.name == "on_date" else f.name, f.type) for f in DAYS), ("posted_on", pa.date32())])
# What tells whom it could concern, and when he last did anything.
_TELLS = ("customer_id", "on_date", "in_minor", "out_minor", "lent_minor", "acts")


@dataclass(frozen=True)
class Told:
    """What a first look tells: by place whom rules could concern, how many rows they have, and what was done (LAST_ACTS, a row for some of a
    customer's days) of whom it is the turn to be told of anew."""

    concerned: npt.NDArray[np.bool_]
    rows: int
    acted: pa.Table


class Weeks:
    """The account_days of ComplianceDay.days. Few of them are read once and kept."""

    def __init__(self, day: ComplianceDay) -> None:
        self._day = day
        rows = day.rows_looked_back_to
        self._bits = bits_for(rows)
        self._kept = list(day.days(_COLUMNS, words=_WORDS)) if rows <= day.share_rows else None

    def _pieces(self, columns: Iterable[str], words: tuple[str, ...] = ()) -> Iterable[tuple[date, pa.Table]]:
        return self._day.days(tuple(columns), words=words) if self._kept is None else self._kept

    @property
    def acted(self) -> pa.Table:
        """LAST_ACTS, once for each customer: what those did of whom the date tells anew when they last acted (jobs.compliance.acts)."""
        return self._told.acted

    def windows(self) -> Iterator[tuple[IdRange, pa.Table]]:
        """The rows of customers whom a rule could concern, by ranges of their ids, so that each holds some rows at most: with ``posted_on``,
        dates under the name that custody.compliance_money knows, and ``customer``: a number for each customer_id, by which rows are
        gathered in a fraction of the time."""
        told = self._told
        ranges = id_ranges(min(256, 1 + told.rows // self._day.share_rows))
        for among in ranges:
            found = [_WINDOW.empty_table()]
            for on, piece in self._pieces(_COLUMNS, _WORDS):
                mine = piece.filter(pa.array(told.concerned[places(piece["customer_id"], self._bits)]))
                if len(ranges) > 1:
                    mine = mine.filter(among.holds(mine["customer_id"]))
                posted = pa.repeat(pa.scalar(on, pa.date32()), mine.num_rows)
                found.append(mine.append_column("posted_on", posted).rename_columns(_WINDOW.names).cast(_WINDOW))
            whole = pa.concat_tables(found)
            codes = pc.dictionary_encode(whole["customer_id"].combine_chunks())
            yield among, whole.append_column("customer", codes.indices)

    @cached_property
    def _told(self) -> Told:
        day, turn = self._day, whose_turn(self._day.today)
        sums = Concerned(day, self._bits)
        acted, rows = [LAST_ACTS.empty_table()], 0
        for posted_on, piece in self._pieces(_TELLS):
            sums.add(posted_on, piece)
            acts = piece.filter(pc.greater(piece["acts"], 0)).select(["customer_id", "on_date"])
            acted.append(plain(acts.filter(turn.holds(acts["customer_id"]))).rename_columns(LAST_ACTS.names))
            rows += acted[-1].num_rows
            if rows > day.share_rows:
                acted, rows = [_last(acted)], 0
        concerned = sums.concerned()
        return Told(concerned, int(sums.rows[concerned].sum()), _last(acted))


class Concerned:
    """By place sums of what each rule adds up, over the days of which it does so; no customer's can be above that of his place."""

    def __init__(self, day: ComplianceDay, bits: int) -> None:
        self._day, self._sums = day, Sums(bits)
        self.rows = self._sums["rows"]
        self._moved = np.zeros(1 << bits, bool)
        # The dates by value of which something is posted today, whose rows come first.
        self._dates: set[int] = set()

    def add(self, posted_on: date, piece: pa.Table) -> None:
        at = places(piece["customer_id"], self._sums.bits)
        on = pc.cast(piece["on_date"], pa.int32()).to_numpy()
        came, left, lent = (piece[name].to_numpy() for name in ("in_minor", "out_minor", "lent_minor"))
        self._sums.add("rows", at, np.ones(len(at), np.int64))
        is_today = posted_on == self._day.today
        if is_today:
            self._moved[at] = True
            self._dates |= set(np.unique(on).tolist())
        rules = self._day.rules
        if "super_lender" in rules:
            self._sums.add("lent", *_of(lent > 0, at, lent))
        moves = (came > 0) | (left > 0)
        at, on, came, left = at[moves], on[moves], came[moves], left[moves]
        if "large_value" in rules:
            self._add("large", np.isin(on, list(self._dates)), at, came, left)
        for name in ("structuring", "fast_in_out"):
            if name in rules:
                self._add(name, on >= self._since(name), at, came, left)
        if "dormant_active" in rules and is_today:
            self._add("dormant", np.ones(len(at), bool), at, came, left)

    def _since(self, rule: str) -> int:
        return (self._day.today - timedelta(days=self._day.figures(rule)["days"] - 1) - _EPOCH).days

    def _add(self, name: str, some: npt.NDArray[np.bool_], at: npt.NDArray[np.int64], *ways: npt.NDArray[np.int64]) -> None:
        for way, minor in zip(("in", "out"), ways, strict=True):
            self._sums.add(f"{name}_{way}", *_of(some & (minor > 0), at, minor))

    def concerned(self) -> npt.NDArray[np.bool_]:
        """By place; each as the columns of its rule pick, or more."""
        day, rules, sums = self._day, self._day.rules, self._sums
        found = np.zeros(len(self._moved), bool)
        if "large_value" in rules:
            figures = day.figures("large_value")
            least = min(figures["person_minor"], figures["company_minor"])
            found |= (sums["large_in"] >= least) | (sums["large_out"] >= least)
        if "structuring" in rules:
            figures = day.figures("structuring")
            low = min(figures["person_minor"], figures["company_minor"]) * figures["share_bp"] // BASIS_POINTS * figures["times"]
            found |= (sums["structuring_in"] >= low) | (sums["structuring_out"] >= low)
        if "fast_in_out" in rules:
            figures = day.figures("fast_in_out")
            left = figures["minor"] * figures["share_bp"] // BASIS_POINTS
            found |= (sums["fast_in_out_in"] >= figures["minor"]) & (sums["fast_in_out_out"] >= left)
        if "dormant_active" in rules:
            least = day.figures("dormant_active")["minor"]
            found |= (sums["dormant_in"] >= least) | (sums["dormant_out"] >= least)
        # Whoever lends or holds is looked at on any day, of all others those of whom something is posted today.
        found &= self._moved
        if "super_lender" in rules:
            found |= sums["lent"] >= day.figures("super_lender")["lent_minor"]
        return found


def _of(
    some: npt.NDArray[np.bool_], at: npt.NDArray[np.int64], minor: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return at[some], minor[some]


def _last(acted: list[pa.Table]) -> pa.Table:
    last = pa.concat_tables(acted).group_by(["customer_id"]).aggregate([("last_on", "max")])
    return last.rename_columns(LAST_ACTS.names).select(LAST_ACTS.names).cast(LAST_ACTS)
