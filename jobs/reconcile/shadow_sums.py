"""The sums of a shadow ledger, by columns: of each account what its platform's balances show beyond the platform's own movements.

custody.shadow_ledger is the rule, and says what each type of movement does to which account; a property test holds the two together.
Tables are taken in piece by piece and summed by account, so that memory follows the accounts, not the movements. Accounts are summed
by the numbers that dictionaries give their roles and users; names are only made of those that are found.
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
from jobs.reconcile.numbers import coded, in_order, looked_up, numbered

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
_KEY = ("of", "role", "user_no")
_UNLISTED = UNLISTED.partition(".")
# So many rows wait until they are summed up.
_HELD_ROWS = 1_000_000
_PLACES_A_ROW = 8
_DAY_MICROS, _CHINA_MICROS = 86_400_000_000, 28_800_000_000
_Judged = Collection[tuple[str, date]]
_Ints = NDArray[np.int64]
_Codes = NDArray[np.int32]
# Of rows their accounts: role and user number, each a column.
_Accounts = tuple[pa.ChunkedArray, pa.ChunkedArray]


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
    held = _Sums((*_BEFORE, *_AFTER))
    for piece in told.balances(_HELD):
        both = (piece["available_minor"].to_numpy(), piece["frozen_minor"].to_numpy())
        for figures, days in ((_AFTER, 0), (_BEFORE, 1)):
            of = _pair_of(pairs, piece["party"], piece["custody_date"], days)
            held.add(of, (piece["role"], piece["user_no"]), dict(zip(figures, both, strict=True)))
    near: list[pa.Table] = []
    if any(_near_midnight(piece, window_minutes).any() for piece in told.ours(["event_time"])):
        near = [piece.filter(pa.array(_near_midnight(piece, window_minutes))) for piece in told.ours(_OURS)]
    waiting = _Waiting(near, pairs)
    moved = _Sums((*_MOVED, "movements"))
    for piece in told.movements((*_MADE, *waiting.asks_for)):
        waiting.filed(piece)
        names, status = coded(piece["status"])
        made = looked_up([name == MOVES_MONEY for name in names], status)
        of = np.where(made, _pair_of(pairs, piece["party"], piece["custody_date"], 0), -1)
        whose = {way: (piece[f"{way}_role"], piece[f"{way}_user_no"]) for way in (FROM, TO)}
        for who, available, frozen in _changes(piece, whose):
            figures_ = dict(zip(_MOVED, (available, frozen), strict=True)) | {"movements": np.ones(len(available), np.int64)}
            moved.add(np.where((available != 0) | (frozen != 0), of, -1), who, figures_)
    differing = _differing(held.table(), moved.table())
    if not differing.num_rows:
        return []
    awaited = _Sums(_AWAITED)
    for piece in waiting.left():
        of = _pair_of(pairs, piece["platform"], piece["value_date"], 0)
        whose = {way: _as_filed(piece[f"{way}_account"]) for way in (FROM, TO)}
        for who, available, frozen in _changes(piece, whose):
            figures_ = dict(zip(_AWAITED, (available, frozen), strict=True))
            awaited.add(np.where((available != 0) | (frozen != 0), of, -1), who, figures_)
    accounts = _Found(differing)
    found = {(row["of"], row["who"]): dict.fromkeys(_FIGURES, 0) for row in accounts.rows(differing)}
    for sums in (held, moved, awaited):
        for row in accounts.rows(sums.table()):
            found[row["of"], row["who"]].update({name: row[name] for name in sums.figures})
    refs = _refs(pairs, told.balances((*_STANDS, "file_name", "line_no")), accounts)
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

    def __init__(self, figures: Sequence[str]) -> None:
        self.figures = tuple(figures)
        self._held: list[pa.Table] = []
        self._rows = 0

    def add(self, of: _Ints, who: _Accounts, figures: dict[str, _Ints]) -> None:
        """``of``: each row's (platform, date), by its place. Rows of no date that is judged (-1), or without an account, count for nothing."""
        (roles, role), (users, user) = (numbered(column) for column in who)
        platform, unlisted = (pc.index(texts, text).as_py() for texts, text in ((roles, _UNLISTED[0]), (users, _UNLISTED[2])))
        kept = (of >= 0) & (role >= 0) & (user >= 0) & ((role != platform) | (user != unlisted))
        none = np.zeros(len(of), np.int64)
        given = [figures.get(name, none)[kept] for name in self.figures]
        of, role, user, *sums = _summed_densely((of[kept], len(roles), role[kept], len(users), user[kept]), given)
        named = [pa.DictionaryArray.from_arrays(codes, texts) for codes, texts in ((role, roles), (user, users))]
        rows = pa.table([of, *named, *sums], [*_KEY, *self.figures])
        self._held.append(rows)
        self._rows += rows.num_rows
        if self._rows > _HELD_ROWS:
            self._held = [self.table()]
            # What cannot be summed up any further waits for as much again.
            self._rows = 0

    def table(self) -> pa.Table:
        """Roles and users as dictionaries."""
        if not self._held:
            self.add(np.empty(0, np.int64), (_NOBODY, _NOBODY), {})
        self._held = [_summed(pa.concat_tables(self._held), self.figures)]
        return self._held[0]


_NOBODY = pa.chunked_array([], pa.string())


def _summed_densely(who: tuple[_Ints, int, _Codes, int, _Codes], figures: Sequence[_Ints]) -> list[Any]:
    """Rows of one piece, by their (platform, date), role and user: each account once, where a place for each that there could be is not far
    more than the rows. Of a piece's movements several are of one account, and what is summed up here need not be put in order."""
    of, roles, role, users, user = who
    if not len(of):
        return [of, role, user, *figures]
    first = int(of.min())
    key = ((of - first) * roles + role) * users + user
    places = int(key.max()) + 1
    if places > _PLACES_A_ROW * len(of):
        return [of, role, user, *figures]
    there = np.zeros(places, np.bool_)
    there[key] = True
    each = np.flatnonzero(there)
    sums = []
    for values in figures:
        whole = np.zeros(places, np.int64)
        np.add.at(whole, key, values)
        sums.append(whole[each])
    rest, user_of = np.divmod(each, users)
    of_each, role_of = np.divmod(rest, roles)
    return [of_each + first, role_of.astype(role.dtype), user_of.astype(user.dtype), *sums]


def _summed(rows: pa.Table, figures: Sequence[str]) -> pa.Table:
    """A row for each (platform, date) and account."""
    rows = rows.unify_dictionaries()
    of, (roles, role), (users, user) = rows["of"].to_numpy(), numbered(rows["role"]), numbered(rows["user_no"])
    key = (of * len(roles) + role) * len(users) + user
    if not len(key):
        return rows
    # Hashes fill their 64 bits; so do these, that their order can be told by the leading ones.
    ordered, places = in_order(key << 62 - int(key.max()).bit_length())
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    one = places[first]
    named = [pa.DictionaryArray.from_arrays(codes[one], texts) for codes, texts in ((role, roles), (user, users))]
    sums = [np.add.reduceat(rows[name].to_numpy()[places], first) for name in figures]
    return pa.table([of[one], *named, *sums], rows.schema.names)


class _Found:
    """A few accounts, and their rows in tables of all of them."""

    def __init__(self, differing: pa.Table) -> None:
        self._users = differing["user_no"].cast(pa.string()).combine_chunks().unique()
        self._named = _named(differing).combine_chunks()

    def of_users(self, table: pa.Table) -> pa.Table:
        """The rows of all users who have one of the numbers; other platforms have such too. Numbers are looked for in the dictionary."""
        texts, codes = numbered(table["user_no"])
        wanted = np.append(pc.is_in(texts, self._users).to_numpy(zero_copy_only=False), False)
        return table.take(np.flatnonzero(wanted[codes]))

    def rows(self, table: pa.Table) -> list[Row]:
        """Those of the accounts, each with the name of its own."""
        some = self.of_users(table)
        rows = some.filter(pc.is_in(_named(some), self._named)).to_pylist()
        return [row | {"who": f"{row['role']}.{row['user_no']}"} for row in rows]


def _named(rows: pa.Table) -> pa.ChunkedArray:
    """Of each row which (platform, date) and account it is of, as one text."""
    return pc.binary_join_element_wise(*(rows[name].cast(pa.string()) for name in _KEY), ".")


def _pair_of(pairs: Sequence[tuple[str, date]], platforms: Any, dates: Any, days: int) -> _Ints:
    """The place of each row's (platform, date) among these, -1 where it is none of them."""
    names = sorted({platform for platform, _ in pairs})
    ordinals = [_days(on) for _, on in pairs]
    first, many = min(ordinals), max(ordinals) - min(ordinals) + 1
    places = np.full((len(names) + 1, many + 1), -1, np.int64)
    for place, (platform, on) in enumerate(pairs):
        places[names.index(platform), _days(on) - first] = place
    found, codes = coded(platforms)
    platform_no = np.array([names.index(name) if name in names else len(names) for name in found])[codes]
    day_no = dates.cast(pa.int32()).to_numpy().astype(np.int64) + days - first
    of: _Ints = places[platform_no, np.where((day_no >= 0) & (day_no < many), day_no, many)]
    return of


def _days(on: date) -> int:
    return (on - date(1970, 1, 1)).days


def _differing(held: pa.Table, moved: pa.Table) -> pa.Table:
    """The accounts of which the balances' change is not that of the movements."""
    parts = []
    for table, signs in ((held, {_AFTER: 1, _BEFORE: -1}), (moved, {_MOVED: -1})):
        sums = [sum(sign * table[figures[n]].to_numpy() for figures, sign in signs.items()) for n in (0, 1)]
        parts.append(pa.table([*(table[name] for name in _KEY), *sums], [*_KEY, "available", "frozen"]))
    beyond = _summed(pa.concat_tables(parts), ("available", "frozen"))
    return beyond.filter(pc.or_(pc.not_equal(beyond["available"], 0), pc.not_equal(beyond["frozen"], 0)))


def _refs(
    pairs: Sequence[tuple[str, date]], balances: Iterable[pa.Table], accounts: _Found
) -> dict[tuple[int, str], dict[str, str]]:
    """Where these accounts' balance rows stand; of an account that stands there twice the last."""
    found: dict[tuple[int, str], dict[str, str]] = {}
    for piece in balances:
        some = accounts.of_users(piece)
        for name, days in (("after_ref", 0), ("before_ref", 1)) if some.num_rows else ():
            of = _pair_of(pairs, some["party"], some["custody_date"], days)
            for row in accounts.rows(some.append_column("of", pa.array(of))):
                refs = found.setdefault((row["of"], row["who"]), {})
                refs[name] = max(refs.get(name, ""), f"{row['file_name']}:{row['line_no']}")
    return found


def _as_filed(account: pa.ChunkedArray) -> _Accounts:
    """Our account as a BALANCE file names it."""
    without = pc.replace_substring_regex(account, "^[^.:]*[.:]", "")
    is_user = pc.match_substring(account, ".")
    role = pc.if_else(is_user, pc.replace_substring_regex(without, r"\..*", ""), _UNLISTED[0])
    return role, pc.if_else(is_user, pc.replace_substring_regex(without, r"^[^.]*\.", ""), without)


def _changes(rows: pa.Table, accounts: dict[str, _Accounts]) -> Iterable[tuple[_Accounts, _Ints, _Ints]]:
    """By whose account it is: which one in each row, and what the row does to it."""
    types, kind = numbered(rows["txn_type"])
    amounts = {
        "amount_minor": rows["amount_minor"].to_numpy(),
        "coupon_minor": pc.fill_null(rows["coupon_minor"], 0).to_numpy(),
    }
    none = np.zeros(rows.num_rows, np.int64)
    for whose in _WHOSE:
        times = [_times(types.to_pylist(), whose, part) for part in ("available", "frozen")]
        if not any(times):
            continue
        available, frozen = (sum((by[kind] * amounts[name] for name, by in of_part.items()), none) for of_part in times)
        yield accounts[whose] if whose in accounts else _account(whose, rows.num_rows), available, frozen


def _account(name: str, rows: int) -> _Accounts:
    """The same P_* account in each row."""
    role, user = (pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [text]) for text in (_UNLISTED[0], name))
    return pa.chunked_array([role]), pa.chunked_array([user])


_WHOSE = sorted({effect.whose for effects in EFFECTS.values() for effect in effects})


def _times(kinds: Sequence[str], whose: str, part: str) -> dict[str, _Ints]:
    """How often each figure counts for a part of an account, by type of movement; none that never does."""
    times = {name: np.zeros(len(kinds), np.int64) for name in ("amount_minor", "coupon_minor")}
    for place, kind in enumerate(kinds):
        for effect in EFFECTS.get(TxnType(kind), ()):
            if (effect.whose, effect.part) == (whose, part):
                for figure in FIGURES[effect.figure]:
                    times[figure.removeprefix("-")][place] += -effect.sign if figure.startswith("-") else effect.sign
    return {name: by for name, by in times.items() if by.any()}


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
            mine = movements.filter(pc.is_in(movements["request_no"].cast(pa.string()), self._requests))
            self._filed |= set(_keys(mine, "party", "custody_date"))

    def left(self) -> Iterable[pa.Table]:
        for piece in self._ours:
            yield piece.filter(pa.array([key not in self._filed for key in _keys(piece, "platform", "value_date")]))


def _keys(rows: pa.Table, platform: str, on: str) -> Iterable[tuple[Any, ...]]:
    return zip(*(rows[name].to_pylist() for name in (platform, on, "request_no", "leg")), strict=True)
