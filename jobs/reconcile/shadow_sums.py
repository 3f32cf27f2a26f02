"""The sums of a shadow ledger, by columns: of each account what its platform's balances show beyond the platform's own movements.

custody.shadow_ledger is the rule, and says what each type of movement does to which account; a property test holds the two together.
Tables are taken in piece by piece and summed by account, so that memory follows the accounts, not the movements.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from custody.names import TxnType
from custody.ports import Row
from custody.shadow_ledger import EFFECTS, FIGURES, FROM, MOVES_MONEY, TO, UNLISTED

_STANDS = ("party", "custody_date", "role", "user_no")
_HELD = (*_STANDS, "available_minor", "frozen_minor")
_MADE = (
    "party", "custody_date", "txn_type", "status", "from_role", "from_user_no", "to_role", "to_user_no", "amount_minor", "coupon_minor",
)  # fmt: skip
_OURS = (
    "platform", "value_date", "request_no", "leg", "txn_type", "outcome", "event_time", "from_account", "to_account", "amount_minor",
    "coupon_minor",
)  # fmt: skip
_BEFORE, _AFTER = ("before_available_minor", "before_frozen_minor"), ("after_available_minor", "after_frozen_minor")
_MOVED, _AWAITED = ("moved_available_minor", "moved_frozen_minor"), ("awaited_available_minor", "awaited_frozen_minor")
_FIGURES = (*_BEFORE, *_AFTER, *_MOVED, *_AWAITED, "movements")
_KEY = ("of", "who")
# So many rows wait until they are summed up.
_HELD_ROWS = 1_000_000
_DAY_MICROS, _CHINA_MICROS = 86_400_000_000, 28_800_000_000
_Judged = Collection[tuple[str, date]]
_Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Told:
    """The columns that are asked for of the dates in question, as often as they are: ``balances`` of a date and of the one before
    (land_balance), ``movements`` (land_txn), and ``ours``, which our ledger posted on these dates (ledger_txn)."""

    balances: Callable[[Sequence[str]], Iterable[pa.Table]]
    movements: Callable[[Sequence[str]], Iterable[pa.Table]]
    ours: Callable[[Sequence[str]], Iterable[pa.Table]]


def sums_beyond(judged: _Judged, told: Told, window_minutes: int) -> list[Row]:
    """A row for each account of these (platform, date) whose balances do not follow from its platform's movements; what happened near
    midnight and the platform has not filed is awaited with its next file."""
    pairs = sorted(judged)
    held = _Sums(pairs, (*_BEFORE, *_AFTER))
    for piece in told.balances(_HELD):
        who = _name(piece["role"], piece["user_no"])
        both = (piece["available_minor"], piece["frozen_minor"])
        for figures, days in ((_AFTER, 0), (_BEFORE, 1)):
            held.add(piece["party"], piece["custody_date"], days, who, dict(zip(figures, both, strict=True)))
    near: list[pa.Table] = []
    if any(_near_midnight(piece, window_minutes).any() for piece in told.ours(["event_time"])):
        near = [piece.filter(pa.array(_near_midnight(piece, window_minutes))) for piece in told.ours(_OURS)]
    waiting = _Waiting(near, pairs)
    moved = _Sums(pairs, (*_MOVED, "movements"))
    for piece in told.movements((*_MADE, *waiting.asks_for)):
        waiting.filed(piece)
        made = piece.filter(pc.equal(piece["status"], str(MOVES_MONEY)))
        names = {FROM: _name(made["from_role"], made["from_user_no"]), TO: _name(made["to_role"], made["to_user_no"])}
        for who, available, frozen in _changes(made, names):
            figures_ = dict(zip(_MOVED, (available, frozen), strict=True)) | {"movements": np.ones(len(available), np.int64)}
            moved.add(made["party"], made["custody_date"], 0, who, figures_, (available != 0) | (frozen != 0))
    differing = _differing(held.table(), moved.table())
    if not differing.num_rows:
        return []
    awaited = _Sums(pairs, _AWAITED)
    for piece in waiting.left():
        names = {FROM: _as_filed(piece["from_account"]), TO: _as_filed(piece["to_account"])}
        for who, available, frozen in _changes(piece, names):
            figures_ = dict(zip(_AWAITED, (available, frozen), strict=True))
            awaited.add(piece["platform"], piece["value_date"], 0, who, figures_, (available != 0) | (frozen != 0))
    found = {(key["of"], key["who"]): dict.fromkeys(_FIGURES, 0) for key in differing.select(_KEY).to_pylist()}
    for sums in (held, moved, awaited):
        table = sums.table()
        for row in table.filter(pc.is_in(table["who"], differing["who"].combine_chunks())).to_pylist():
            if (row["of"], row["who"]) in found:
                found[row["of"], row["who"]].update({name: row[name] for name in sums.figures})
    refs = _refs(pairs, told.balances((*_STANDS, "file_name", "line_no")), differing)
    return [_row(pairs[of], who, figures, refs.get((of, who), {})) for (of, who), figures in sorted(found.items())]


def _row(judged: tuple[str, date], who: str, figures: dict[str, int], refs: dict[str, str]) -> Row:
    beyond = {
        f"{part}_minor": figures[f"after_{part}_minor"] - figures[f"before_{part}_minor"] - figures[f"moved_{part}_minor"]
        for part in ("available", "frozen")
    }
    named = {"platform": judged[0], "account": who, "as_of": judged[1]}
    return {**named, **beyond, **figures, "before_ref": refs.get("before_ref"), "after_ref": refs.get("after_ref")}


class _Sums:
    """Figures by (platform, date) and account."""

    def __init__(self, pairs: Sequence[tuple[str, date]], figures: Sequence[str]) -> None:
        self._pairs, self.figures = pairs, tuple(figures)
        self._held: list[pa.Table] = []
        self._rows = 0

    def add(
        self,
        platforms: Any,
        dates: Any,
        days: int,
        who: pa.ChunkedArray,
        figures: dict[str, Any],
        kept: NDArray[np.bool_] | None = None,
    ) -> None:
        """``days`` are added to the dates. Rows of no date that is judged, or without an account, count for nothing."""
        of = _pair_of(self._pairs, platforms, dates, days)
        is_kept = (of >= 0) & pc.fill_null(pc.not_equal(who, UNLISTED), False).to_numpy()
        is_kept = is_kept if kept is None else is_kept & kept
        if not is_kept.any():
            return
        none = np.zeros(len(of), np.int64)
        columns = {"of": of, "who": who} | {name: figures.get(name, none) for name in self.figures}
        rows = pa.table(columns)
        self._held.append(rows if is_kept.all() else rows.filter(pa.array(is_kept)))
        self._rows += self._held[-1].num_rows
        if self._rows > _HELD_ROWS:
            self._held = [self.table()]
            # What cannot be summed up any further waits for as much again.
            self._rows = 0

    def table(self) -> pa.Table:
        if not self._held:
            columns = [("of", pa.int64()), ("who", pa.string()), *((name, pa.int64()) for name in self.figures)]
            return pa.schema(columns).empty_table()
        self._held = [self._summed(pa.concat_tables(self._held))]
        return self._held[0]

    def _summed(self, table: pa.Table) -> pa.Table:
        summed = table.group_by(list(_KEY)).aggregate([(name, "sum") for name in self.figures])
        return summed.rename_columns([*_KEY, *self.figures])


def _pair_of(pairs: Sequence[tuple[str, date]], platforms: Any, dates: Any, days: int) -> _Ints:
    """The place of each row's (platform, date) among these, -1 where it is none of them."""
    names = sorted({platform for platform, _ in pairs})
    ordinals = [_days(on) for _, on in pairs]
    first, many = min(ordinals), max(ordinals) - min(ordinals) + 1
    places = np.full((len(names) + 1, many + 1), -1, np.int64)
    for place, (platform, on) in enumerate(pairs):
        places[names.index(platform), _days(on) - first] = place
    platform_no = pc.fill_null(pc.index_in(platforms, pa.array(names)), len(names)).to_numpy()
    day_no = dates.cast(pa.int32()).to_numpy().astype(np.int64) + days - first
    found: _Ints = places[platform_no, np.where((day_no >= 0) & (day_no < many), day_no, many)]
    return found


def _days(on: date) -> int:
    return (on - date(1970, 1, 1)).days


def _differing(held: pa.Table, moved: pa.Table) -> pa.Table:
    """The accounts of which the balances' change is not that of the movements."""
    parts = []
    for table, signs in ((held, {_AFTER: 1, _BEFORE: -1}), (moved, {_MOVED: -1})):
        sums = [sum(sign * table[figures[n]].to_numpy() for figures, sign in signs.items()) for n in (0, 1)]
        parts.append(pa.table({"of": table["of"], "who": table["who"], "available": sums[0], "frozen": sums[1]}))
    beyond = pa.concat_tables(parts).group_by(list(_KEY)).aggregate([("available", "sum"), ("frozen", "sum")])
    return beyond.filter(pc.or_(pc.not_equal(beyond["available_sum"], 0), pc.not_equal(beyond["frozen_sum"], 0)))


def _refs(
    pairs: Sequence[tuple[str, date]], balances: Iterable[pa.Table], differing: pa.Table
) -> dict[tuple[int, str], dict[str, str]]:
    """Where the accounts' balance rows stand; of an account that stands there twice the last."""
    found: dict[tuple[int, str], dict[str, str]] = {}
    wanted = differing["who"].combine_chunks()
    for piece in balances:
        named = piece.append_column("who", _name(piece["role"], piece["user_no"]))
        named = named.filter(pc.is_in(named["who"], wanted))
        for name, days in (("after_ref", 0), ("before_ref", 1)):
            of = _pair_of(pairs, named["party"], named["custody_date"], days).tolist()
            for place, row in zip(of, named.select(["who", "file_name", "line_no"]).to_pylist(), strict=True):
                refs = found.setdefault((place, row["who"]), {})
                refs[name] = max(refs.get(name, ""), f"{row['file_name']}:{row['line_no']}")
    return found


def _name(role: pa.ChunkedArray, user_no: pa.ChunkedArray) -> pa.ChunkedArray:
    """An account as a BALANCE file names it; null where nobody is named."""
    return pc.binary_join_element_wise(role, user_no, ".")


def _as_filed(account: pa.ChunkedArray) -> pa.ChunkedArray:
    """Our account as a BALANCE file names it."""
    without = pc.replace_substring_regex(account, "^[^.:]*[.:]", "")
    return pc.if_else(pc.match_substring(account, "."), without, pc.binary_join_element_wise("PLATFORM", without, "."))


def _changes(rows: pa.Table, names: dict[str, pa.ChunkedArray]) -> Iterable[tuple[pa.ChunkedArray, _Ints, _Ints]]:
    """By whose account it is: its name in each row, and what the row does to it."""
    encoded = rows["txn_type"].combine_chunks().dictionary_encode()
    kind = encoded.indices.to_numpy().astype(np.int64)
    amounts = {
        "amount_minor": rows["amount_minor"].to_numpy(),
        "coupon_minor": pc.fill_null(rows["coupon_minor"], 0).to_numpy(),
    }
    for whose in _WHOSE:
        times = {part: _times(encoded.dictionary.to_pylist(), whose, part) for part in ("available", "frozen")}
        if not any(by.any() for of_part in times.values() for by in of_part.values()):
            continue
        available, frozen = (
            sum(by[kind] * amounts[name] for name, by in times[part].items()) for part in ("available", "frozen")
        )
        name = names[whose] if whose in names else pa.chunked_array([pa.repeat(f"PLATFORM.{whose}", rows.num_rows)])
        yield name, available, frozen


_WHOSE = sorted({effect.whose for effects in EFFECTS.values() for effect in effects})


def _times(kinds: Sequence[str], whose: str, part: str) -> dict[str, _Ints]:
    """How often each figure counts for a part of an account, by type of movement."""
    times = {name: np.zeros(len(kinds), np.int64) for name in ("amount_minor", "coupon_minor")}
    for place, kind in enumerate(kinds):
        for effect in EFFECTS.get(TxnType(kind), ()):
            if (effect.whose, effect.part) == (whose, part):
                for figure in FIGURES[effect.figure]:
                    times[figure.removeprefix("-")][place] += -effect.sign if figure.startswith("-") else effect.sign
    return times


def _near_midnight(ours: pa.Table, window_minutes: int) -> NDArray[np.bool_]:
    """jobs.reconcile.relations.in_window_sql."""
    micros = ours["event_time"].cast(pa.int64()).to_numpy()
    of_day = (micros + _CHINA_MICROS) % _DAY_MICROS
    is_near: NDArray[np.bool_] = np.minimum(of_day, _DAY_MICROS - of_day) <= window_minutes * 60_000_000
    return is_near


class _Waiting:
    """What we posted near midnight, until the platform has it in its file of the date."""

    def __init__(self, near: Iterable[pa.Table], pairs: Sequence[tuple[str, date]]) -> None:
        posted = [piece.filter(pc.equal(piece["outcome"], "POSTED")) for piece in near]
        kept = [piece.filter(pa.array(_pair_of(pairs, piece["platform"], piece["value_date"], 0) >= 0)) for piece in posted]
        self._ours = [piece for piece in kept if piece.num_rows]
        self._requests = pa.array(sorted({name for piece in self._ours for name in piece["request_no"].to_pylist()}), pa.string())
        self._filed: set[tuple[Any, ...]] = set()
        self.asks_for = ("request_no", "leg") if self._ours else ()

    def filed(self, movements: pa.Table) -> None:
        if self.asks_for:
            mine = movements.filter(pc.is_in(movements["request_no"], self._requests))
            self._filed |= set(_keys(mine, "party", "custody_date"))

    def left(self) -> Iterable[pa.Table]:
        for piece in self._ours:
            yield piece.filter(pa.array([key not in self._filed for key in _keys(piece, "platform", "value_date")]))


def _keys(rows: pa.Table, platform: str, on: str) -> Iterable[tuple[Any, ...]]:
    return zip(*(rows[name].to_pylist() for name in (platform, on, "request_no", "leg")), strict=True)
