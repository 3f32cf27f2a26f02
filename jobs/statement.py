"""statement: the daily statement of every sub-account that moved, one line for each posting, from opening to closing (§9).

Told by whole columns, a share of the accounts at a time: the journal and the balances are read in pieces, and each row is laid by for the
shares that it touches. So memory is a share's, however many accounts there are. What is said of an account is what
custody.services.statements says from the keyed store, line by line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.disk import room_for
from connectors.lake import Lake, Part, conform, is_word
from custody.names import Book, available, frozen
from jobs.post.scratch import scratch
from jobs.step import Step, StepContext
from schemas.tables import TABLES

_TABLE = "statement_lines"
# Moves of whole platforms taken at a time; of a platform that has more, as many accounts as have about so many.
_AT_ONCE = 250_000
# Of a platform's moves no more are looked at to say where a share ends.
_NAMES = 1 << 16
_FOLDER = "statement"
_AVAILABLE, _FROZEN = available(""), frozen("")
_TOLD = ("entry_no", "txn_type", "request_no", "leg", "event_time", "value_date", "loan_id")
_MOVES = ("from_account", "to_account", "amount_minor", *_TOLD)
_BALANCES = ("account", "opening_minor", "currency")

_Numbers = NDArray[np.int64]


def _run(context: StepContext) -> None:
    post = context.seal("post")
    assert post is not None
    assert context.writer is not None
    lake, settings = context.wiring.lake, context.wiring.settings
    context.writer.declare(_TABLE)
    firsts = first_accounts(lake, post.path)
    with scratch(settings.path(settings.post.scratch) / _FOLDER) as folder:
        _lay_by(folder / "moves", firsts, _rows(lake, post.path, "journal", _MOVES), ("from_account", "to_account"))
        _lay_by(folder / "balances", firsts, _rows(lake, post.path, "balances", _BALANCES), ("account",))
        for share in range(len(firsts)):
            part = _part(folder, share, context.custody_date)
            if part is not None:
                context.writer.part(part)


def _part(folder: Path, share: int, on: date) -> Part | None:
    moves = _taken(folder / "moves", share)
    if moves is None:
        return None
    moved = pc.unique(pa.chunked_array([*_owners(moves["from_account"]).chunks, *_owners(moves["to_account"]).chunks]))
    # Of a quiet day's accounts few have moved.
    balances = _taken(folder / "balances", share, moved)
    if balances is None:
        return None
    spec = TABLES[_TABLE]
    return Part.of(spec, conform(spec, lines_of(moves, balances, on)))


def first_accounts(lake: Lake, post: str) -> list[str]:
    """From which sub-account on each share goes, up to where the next begins; the first from the beginning."""
    moves: Counter[str] = Counter()
    for piece in lake.pieces(post, "journal", {}, ["platform"], words=["platform"]):
        for counted in pc.value_counts(piece["platform"].combine_chunks()).to_pylist():
            moves[counted["values"]] += counted["counts"]
    found = []
    for first, last in platform_ranges(sorted(moves.items()), _AT_ONCE):
        found.append(f"{first}.")
        if first == last and moves[first] > _AT_ONCE:
            found += account_bounds(_moved(lake, post, first, moves[first]), -(-moves[first] // _AT_ONCE))
    return ["", *found[1:]]


def platform_ranges(counted: Iterable[tuple[str, int]], at_once: int) -> Iterator[tuple[str, str]]:
    """First and last platform of each range, in order, with at most ``at_once`` moves unless it is one platform."""
    first, last, moves = "", "", 0
    for platform, more in counted:
        if first and moves + more > at_once:
            yield first, last
            first, moves = "", 0
        first, last, moves = first or platform, platform, moves + more
    if first:
        yield first, last


def account_bounds(names: Sequence[str], shares: int) -> list[str]:
    """Where shares after the first begin so that each has about as many of ``names``, which are in order and may be repeated. Who
    alone has as many as a share has one of his own."""
    found: list[str] = []
    for share in range(1, shares):
        name = names[len(names) * share // shares]
        if found and name <= found[-1]:
            behind = bisect_right(names, name)
            if behind == len(names):
                break
            name = names[behind]
        if not found or name > found[-1]:
            found.append(name)
    return found


def _moved(lake: Lake, post: str, platform: str, moves: int) -> list[str]:
    """The sub-accounts of a platform's moves, in order and as often as they moved; where there are very many moves, of some of them."""
    every = -(-moves // _NAMES)
    names: list[str] = []
    met = 0
    for piece in lake.pieces(post, "journal", {"platform": (platform, platform)}, ["platform", "from_account", "to_account"]):
        mine = piece.filter(pc.equal(piece["platform"], platform))
        some = mine.take(np.arange(-met % every, len(mine), every))
        met += len(mine)
        for side in ("from_account", "to_account"):
            names += _owners(some[side].filter(pc.match_substring(some[side], "."))).to_pylist()
    return sorted(names)


def _rows(lake: Lake, post: str, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    for piece in lake.pieces(post, table, {}, ["book", *columns], words=["book"]):
        yield piece.filter(is_word(piece["book"], Book.CUSTODY)).drop_columns("book")


def _lay_by(folder: Path, firsts: Sequence[str], pieces: Iterable[pa.Table], accounts: Sequence[str]) -> None:
    """Each row for every share that has one of its accounts, a file for each share, in the order in which rows come."""
    folder.mkdir()
    bounds = pa.array(firsts, pa.string())
    written: dict[int, pa.RecordBatchStreamWriter] = {}
    with ExitStack() as open_files:
        for piece in pieces:
            touched = [_share_of(piece[name], bounds) for name in accounts]
            for share in np.unique(np.concatenate(touched)).tolist():
                if share < 0:
                    continue
                rows = piece.filter(pa.array(np.logical_or.reduce([of == share for of in touched])))
                path = _laid(folder, share)
                with room_for("what statements lay by meanwhile", path, rows.nbytes):
                    if share not in written:
                        file = open_files.enter_context(pa.OSFile(str(path), "wb"))
                        written[share] = open_files.enter_context(pa.ipc.new_stream(file, rows.schema))
                    written[share].write_table(rows)


def _taken(folder: Path, share: int, of: pa.Array | None = None) -> pa.Table | None:
    """What was laid by for a share, of these sub-accounts only if they are given; its file is gone then."""
    path = _laid(folder, share)
    if not path.exists():
        return None
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as rows:
        found = rows.read_all() if of is None else pa.Table.from_batches([_of_owners(some, of) for some in rows], rows.schema)
    path.unlink()
    return found


def _of_owners(balances: pa.RecordBatch, owners: pa.Array) -> pa.RecordBatch:
    return balances.filter(pc.is_in(_owners(balances["account"]), value_set=owners))


def _laid(folder: Path, share: int) -> Path:
    return folder / f"{share:05d}.arrow"


def _share_of(accounts: pa.ChunkedArray, firsts: pa.Array) -> _Numbers:
    """Of each part of a sub-account its share; -1 of every other account."""
    found = pc.search_sorted(firsts, _owners(accounts), side="right").cast(pa.int64())
    shares: _Numbers = pc.if_else(pc.match_substring(accounts, "."), pc.subtract(found, 1), -1).to_numpy()
    return shares


def _owners(parts: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """The sub-accounts of their parts: a name's order is not that of the name with something behind it."""
    octets = parts.cast(pa.binary())
    of_frozen, of_available = (pc.binary_slice(octets, 0, -len(part)) for part in (_FROZEN, _AVAILABLE))
    return pc.if_else(pc.ends_with(parts, _FROZEN), of_frozen, of_available).cast(pa.string())


# Line 0 is the opening balance of the day. A freeze moves nothing out of the sub-account: it shows with amount 0 and moves the
# frozen part. A posting is one entry, however many moves it has.
def lines_of(moves: pa.Table, balances: pa.Table, on: date) -> pa.Table:
    """The lines of the sub-accounts that have a balance among ``balances`` and moved, in order. ``moves``: in the order of entries."""
    moves, balances = moves.combine_chunks(), balances.combine_chunks()
    parts, names = balances["account"], _owners(balances["account"])
    ordered = pc.unique(names)
    ordered = ordered.take(pc.sort_indices(ordered))
    owner_of = pc.index_in(names, ordered).cast(pa.int64()).to_numpy()
    is_frozen = pc.ends_with(parts, _FROZEN).to_numpy()

    # The sides: of which move, into or out of which part, how much.
    amounts = moves["amount_minor"].to_numpy()
    found = [pc.index_in(moves[name], value_set=parts.combine_chunks()) for name in ("from_account", "to_account")]
    here = [part.is_valid().to_numpy() for part in found]
    move = np.concatenate([np.flatnonzero(which) for which in here])
    part = np.concatenate([part.drop_null().to_numpy() for part in found]).astype(np.int64)
    minor = np.concatenate([-amounts[here[0]], amounts[here[1]]])
    order = np.argsort(owner_of[part] * len(moves) + move, kind="stable")
    move, part, minor = move[order], part[order], minor[order]
    owner, entry = owner_of[part], moves["entry_no"].to_numpy()[move]

    # Entries of an owner, then what there is after each.
    begins = np.flatnonzero(_is_other(owner, entry))
    owner, move = owner[begins], move[begins]
    first = np.flatnonzero(_is_other(owner))
    before = np.repeat(first, np.diff(np.append(first, len(owner))))

    # Before an owner's first line stands what he began with.
    at = np.arange(len(owner)) + np.cumsum(_is_other(owner))
    size = len(owner) + len(first)
    opened = np.ones(size, bool)
    opened[at] = False

    def column(of_lines: _Numbers, of_openings: _Numbers | int) -> _Numbers:
        whole = np.empty(size, np.int64)
        whole[at], whole[opened] = of_lines, of_openings
        return whole

    changed, held = [], []
    for which in (~is_frozen, is_frozen):
        opening = np.zeros(len(ordered), np.int64)
        opening[owner_of[which]] = balances["opening_minor"].to_numpy()[which]
        change = np.add.reduceat(np.where(which[part], minor, 0), begins) if len(begins) else np.zeros(0, np.int64)
        total = np.cumsum(change)
        changed.append(column(change, 0))
        held.append(column(opening[owner] + total - (total - change)[before], opening[owner[first]]))
    of_owner = column(owner, owner[first])
    some_part = np.zeros(len(ordered), np.int64)
    some_part[owner_of] = np.arange(len(owner_of))
    told = moves.select(_TOLD).take(pa.array(column(move, 0), mask=opened))
    return pa.table(
        {
            **{name: told[name] for name in _TOLD},
            "sub_account": ordered.take(of_owner),
            "line_no": column(np.arange(len(owner)) - before + 1, 0),
            "txn_type": told["txn_type"].fill_null("OPENING"),
            "value_date": told["value_date"].fill_null(pa.scalar(on)),
            "available_change_minor": changed[0],
            "frozen_change_minor": changed[1],
            "amount_minor": changed[0] + changed[1],
            "available_minor": held[0],
            "frozen_minor": held[1],
            "balance_minor": held[0] + held[1],
            "currency": balances["currency"].take(some_part[of_owner]),
        }
    )


def _is_other(*columns: _Numbers) -> NDArray[np.bool_]:
    """Which rows differ from the one before."""
    other = np.ones(len(columns[0]), bool)
    if len(other):
        other[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return other


STEP = Step("statement", _run)
