"""The tracing of custody.funds_paths for whole days by columns: first in, first out as a join of intervals.

Count what enters a node and what leaves it, each from nothing. Then a move that enters holds an interval of what entered, one that
leaves an interval of what left, and first in first out says that these are the same money where the intervals overlap. So each hop is
one join for all nodes at once; no row waits for another. What is counted is what loans' money can reach, nothing else.

A loan's money stays within its platform, on cards too, so that platforms are traced in shares of bounded size, one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from custody.errors import StopRun
from custody.funds_paths import CARD_DAYS, CARD_MARK, FROM_CARD, GOES_ON, LENDERS, MAX_HOPS, OF_ANOTHER, TO_CARD, WAY_OF, Way
from custody.names import Book, TxnType

MOVE_COLUMNS = (
    "platform", "book", "entry_no", "move_no", "txn_type", "request_no", "loan_id", "from_account", "to_account", "amount_minor",
)  # fmt: skip
OPENING_COLUMNS = ("platform", "account", "opening_minor")
PERSON_COLUMNS = ("platform", "sub_account", "customer_id")
LOTS = pa.schema(
    [(name, pa.string()) for name in ("platform", "loan_id", "node")]
    + [("hop", pa.int64()), ("since", pa.date32()), ("at_minor", pa.int64()), ("amount_minor", pa.int64())]
)
LEGS = pa.schema(
    [("platform", pa.string()), ("loan_id", pa.string()), ("hop", pa.int64()), ("source", pa.string()), ("entry_no", pa.int64())]
    + [(name, pa.string()) for name in ("way", "request_no", "target", "other_loan")]
    + [("amount_minor", pa.int64())]
)
# Platforms are traced together as long as they have no more moves than this.
SHARE_ROWS = 1_000_000
_LOOKED_UP_ROWS = 500_000
Ints = NDArray[np.int64]
_Flags = NDArray[np.bool_]
# (first, last) platform -> rows of the day's table, at least theirs.
Rows = Callable[[str, str], Iterable[pa.Table]]
_NONE = -1
_WITHOUT_END = np.iinfo(np.int64).max
_WAYS = list(Way)
_STAYS = len(_WAYS)
_ELSEWHERE, _REPAID_OWN, _BEYOND, _LENT = (_WAYS.index(way) for way in (Way.ELSEWHERE, Way.REPAID_OWN, Way.BEYOND, Way.LENT))


@dataclass(frozen=True)
class DayMoves:
    """``moves``: these columns of the day's journal in the order of its entries, platform by platform in the order of their names;
    ``balances`` (OPENING_COLUMNS) and ``people`` (PERSON_COLUMNS): the day's snapshots."""

    moves: Callable[[Sequence[str]], Iterable[pa.Table]]
    balances: Rows
    people: Rows


@dataclass(frozen=True)
class Traced:
    """The day's legs, and the lots at its end, in the order of their columns."""

    legs: pa.Table
    lots: pa.Table


def trace_day(today: date, before: pa.Table, day: DayMoves, share_rows: int = SHARE_ROWS) -> Traced:
    """``before``: yesterday's lots. Raises StopRun when a platform's moves do not stand together."""
    legs, lots = [LEGS.empty_table()], [LOTS.empty_table()]
    last = ""
    concerned = _concerned(before, day)
    for upto, moves in _shares(day.moves(MOVE_COLUMNS), concerned, share_rows) if len(concerned) else ():
        mine = before.filter(pc.and_(pc.greater(before["platform"], last), pc.less_equal(before["platform"], upto)))
        traced = _trace_share(today, mine, moves, day)
        legs.append(traced.legs)
        lots.append(traced.lots)
        last = upto
    behind = before.filter(pc.greater(before["platform"], last))
    traced = _trace_share(today, behind, _no_moves(), day)
    return Traced(pa.concat_tables([*legs, traced.legs]), pa.concat_tables([*lots, traced.lots]))


def _no_moves() -> pa.Table:
    numbers = ("entry_no", "move_no", "amount_minor")
    return pa.schema([(name, pa.int64() if name in numbers else pa.string()) for name in MOVE_COLUMNS]).empty_table()


def _concerned(before: pa.Table, day: DayMoves) -> pa.Array:
    """The platforms at which a loan's money lies, or is lent today."""
    platforms = set(before["platform"].unique().to_pylist())
    for piece in day.moves(("platform", "txn_type")):
        platforms |= set(piece.filter(_lending(piece))["platform"].unique().to_pylist())
    return pa.array(sorted(platforms), pa.string())


def _lending(moves: pa.Table) -> pa.ChunkedArray:
    return pc.equal(moves["txn_type"], str(TxnType.TENDER_SETTLE))


def _shares(pieces: Iterable[pa.Table], concerned: pa.Array, share_rows: int) -> Iterator[tuple[str, pa.Table]]:
    """(last platform, the custody book's moves of some platforms whole), of platforms that are ``concerned``."""
    held: list[pa.Table] = []
    last = ""
    for piece in pieces:
        kept = pc.and_(pc.equal(piece["book"], str(Book.CUSTODY)), pc.is_in(piece["platform"], concerned))
        moves = piece.select(MOVE_COLUMNS).filter(kept)
        if not moves.num_rows:
            continue
        platforms = moves["platform"]
        first, newest = platforms[0].as_py(), platforms[-1].as_py()
        if first < last or pc.any(pc.less(platforms[1:], platforms[:-1])).as_py():
            raise StopRun(f"the journal has moves of {newest} behind those of {max(last, newest)}: platforms must stand together")
        if newest != last and sum(table.num_rows for table in held) + moves.num_rows >= share_rows:
            # The newest platform may go on in the next piece.
            still = moves.filter(pc.equal(platforms, newest))
            done = [*held, moves.slice(0, moves.num_rows - still.num_rows)]
            before = [table for table in done if table.num_rows]
            if before:
                yield before[-1]["platform"][-1].as_py(), pa.concat_tables(before)
            held = [still]
        else:
            held.append(moves)
        last = newest
    if held:
        yield last, pa.concat_tables(held)


def _trace_share(today: date, before: pa.Table, moves: pa.Table, day: DayMoves) -> Traced:
    forgotten = pc.and_(_on_card(before), pc.less(before["since"], pa.scalar(today - timedelta(days=CARD_DAYS), pa.date32())))
    spent, lots = _spent(before.filter(forgotten)), before.filter(pc.invert(forgotten))
    if not lots.num_rows and not pc.any(_lending(moves)).as_py():
        return Traced(spent, lots)
    share = _Share(moves, lots, before, day)
    legs, lying = share.trace(today)
    return Traced(pa.concat_tables([spent, legs]), lying)


class _Codes:
    """Texts as numbers; a null's is -1."""

    def __init__(self, *columns: pa.Array | pa.ChunkedArray) -> None:
        chunks = [chunk for column in columns for chunk in _chunks(column)]
        encoded = pa.chunked_array(chunks, pa.string()).combine_chunks().dictionary_encode()
        self.texts: pa.Array = encoded.dictionary
        numbers = pc.fill_null(encoded.indices, _NONE).to_numpy().astype(np.int64)
        self.columns: list[Ints] = np.split(numbers, np.cumsum([len(column) for column in columns])[:-1])


def _chunks(column: pa.Array | pa.ChunkedArray) -> Sequence[pa.Array]:
    chunks: Sequence[pa.Array] = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return chunks


class _Share:
    """Some platforms' day: its moves between nodes by number, and how much of what came to each node has left it by each of them."""

    def __init__(self, moves: pa.Table, lots: pa.Table, all_lots: pa.Table, day: DayMoves) -> None:
        moves = moves.combine_chunks()
        types = _Codes(moves["txn_type"])
        self._of_type = _OfType(types.texts.to_pylist())
        self.kind = types.columns[0]
        payer, payee, self._nodes, (lot_nodes, all_nodes) = _placed(
            moves, self._of_type, self.kind, (lots["node"], all_lots["node"]), day
        )
        apart = np.flatnonzero(payer != payee)
        self._rows = moves.take(pa.array(apart))
        self.kind, self.source, self.target = self.kind[apart], payer[apart], payee[apart]
        self.amount = self._rows["amount_minor"].to_numpy()
        self.entry = self._rows["entry_no"].to_numpy()
        self._requests = _Codes(self._rows["request_no"])
        self.request = self._requests.columns[0]
        self._number_loans(lots)
        self.lends = self._of_type.lends[self.kind] & (self.loan >= 0) & (self.source >= 0) & (self.target >= 0)
        self.lots = _Lots(
            self.lot_loan, lot_nodes, lots["hop"].to_numpy(), _days(lots["since"]), lots["at_minor"].to_numpy(),
            lots["amount_minor"].to_numpy(),
        )  # fmt: skip
        self._count(self._reached(), _openings(self._nodes, (all_nodes, all_lots), moves, day))

    def _number_loans(self, lots: pa.Table) -> None:
        """A loan's id is its platform's own."""
        platforms, ids = _Codes(self._rows["platform"], lots["platform"]), _Codes(self._rows["loan_id"], lots["loan_id"])
        many = len(ids.texts) + 1
        moved, lay = (platform * many + of for platform, of in zip(platforms.columns, ids.columns, strict=True))
        of_loan = ids.columns[0] >= 0
        keys = np.unique(np.concatenate([moved[of_loan], lay]))
        self.loan_platform, self.loan_id = platforms.texts.take(pa.array(keys // many)), ids.texts.take(pa.array(keys % many))
        self.loan = np.where(of_loan, np.searchsorted(keys, moved), _NONE)
        self.lot_loan = np.searchsorted(keys, lay)

    def _reached(self) -> _Flags:
        """The nodes that loans' money may come to."""
        reached = np.zeros(len(self._nodes), np.bool_)
        reached[self.lots.node] = True
        reached[self.target[self.lends]] = True
        on = np.flatnonzero(self._of_type.goes_on[self.kind] & (self.source >= 0) & (self.target >= 0))
        for _ in range(MAX_HOPS):
            new = on[reached[self.source[on]] & ~reached[self.target[on]]]
            if not len(new):
                break
            reached[self.target[new]] = True
        return reached

    def _count(self, reached: _Flags, opening: Ints) -> None:
        """``begins``: how much had come to the target before each move. ``outs``: what left each node, from where to where in what had
        come; what leaves without having come is nobody's that we know. The last out of a node is what stays."""
        came_in, gone_out = (np.flatnonzero((node >= 0) & reached[node]) for node in (self.target, self.source))
        move = np.concatenate([came_in, gone_out])
        node = np.concatenate([self.target[came_in], self.source[gone_out]])
        order = np.argsort(node * (len(self.kind) + 1) + move)
        move, node, comes_in = move[order], node[order], (order < len(came_in))
        amount = self.amount[move]
        first = _firsts(node)
        segment = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(node))))
        came = _running(np.where(comes_in, amount, 0), first, segment) + opening[node]
        went = _running(np.where(comes_in, 0, amount), first, segment)
        gone = went - _running_most(went - came, segment)
        gone_before = np.zeros_like(gone)
        gone_before[1:] = gone[:-1]
        gone_before[first] = 0
        self.begins = np.zeros(len(self.kind), np.int64)
        self.begins[move[comes_in]] = (came - amount)[comes_in]
        leaves = np.flatnonzero(~comes_in & (gone > gone_before))
        of = move[leaves]
        # What stays of each node that is reached lies behind the last that left.
        nodes = np.flatnonzero(reached)
        gone_in_all = np.zeros(len(self._nodes), np.int64)
        np.maximum.at(gone_in_all, node, gone)
        stays = np.full(len(nodes), _NONE)
        columns = {
            "node": (node[leaves], nodes),
            "begins": (gone_before[leaves], gone_in_all[nodes]),
            "ends": (gone[leaves], np.full(len(nodes), _WITHOUT_END)),
            "move": (of, stays),
            "target": (np.where(self._of_type.goes_on[self.kind[of]], self.target[of], _NONE), stays),
        }
        whole = {name: np.concatenate(both).astype(np.int64) for name, both in columns.items()}
        order = np.lexsort((whole["move"] < 0, whole["begins"], whole["node"]))
        self.outs = _Outs(**{name: column[order] for name, column in whole.items()})

    def trace(self, today: date) -> tuple[pa.Table, pa.Table]:
        """The day's legs, and the lots at its end."""
        if not len(self.kind):
            return LEGS.empty_table(), self._lots_table(self.lots.joined())
        lent = np.flatnonzero(self.lends)
        new = np.full(len(lent), 1), np.full(len(lent), _day(today))
        going = _Lots(self.loan[lent], self.target[lent], *new, self.begins[lent], self.amount[lent])
        going = self.lots.and_(going)
        legs, lying = [self._lent(lent)], [_NO_LOTS]
        # Each round takes the money one hop further, and no lot goes further than MAX_HOPS.
        while len(going.loan):
            lots = going.joined()
            at, out, off, amount = self.outs.cut(lots)
            move = self.outs.move[out]
            loan, hop = lots.loan[at], lots.hop[at]
            way, target = self._ways(out, loan, hop)
            left = way != _STAYS
            legs.append(
                _Legs(
                    loan[left], hop[left], lots.node[at][left], move[left], way[left], target[left],
                    np.where(_IS_OF_ANOTHER[way], self.loan[move], _NONE)[left], amount[left],
                )
            )  # fmt: skip
            stays = ~left
            lying.append(_Lots(loan[stays], lots.node[at][stays], hop[stays], lots.since[at][stays], off[stays], amount[stays]))
            on = target >= 0
            moved = np.full(int(on.sum()), _day(today))
            going = _Lots(loan[on], target[on], hop[on] + 1, moved, self.begins[move[on]] + off[on], amount[on])
        return self._legs_table(legs), self._lots_table(_NO_LOTS.and_(*lying).joined())

    def _ways(self, out: Ints, loan: Ints, hop: Ints) -> tuple[Ints, Ints]:
        """custody.funds_paths.way_of by columns, and where the money is then."""
        move, target = self.outs.move[out], self.outs.target[out]
        kind = self.kind[move]
        way = self._of_type.way[kind]
        way = np.where(self._of_type.goes_on[kind] & (target < 0), _ELSEWHERE, way)
        way = np.where(self._of_type.repays[kind] & (self.loan[move] == loan), _REPAID_OWN, way)
        way = np.where((target >= 0) & (hop >= MAX_HOPS), _BEYOND, way)
        way = np.where(move < 0, _STAYS, way)
        return way, np.where(_IS_ON[way], target, _NONE)

    def _lent(self, moves: Ints) -> _Legs:
        none = np.full(len(moves), _NONE)
        way = np.full(len(moves), _LENT)
        return _Legs(self.loan[moves], np.zeros_like(moves), none, moves, way, self.target[moves], none, self.amount[moves])

    def _legs_table(self, legs: list[_Legs]) -> pa.Table:
        """One leg for what one request took of a loan's money at one hop."""
        whole = {name: np.concatenate([getattr(part, name) for part in legs]) for name in _Legs.__dataclass_fields__}
        move = whole.pop("move")
        whole |= {"entry_no": self.entry[move], "request": self.request[move]}
        of_request = [name for name in whole if name not in ("entry_no", "amount")]
        summed = pa.table(whole).group_by(of_request).aggregate([("entry_no", "min"), ("amount", "sum")])
        found = {name: summed[name].to_numpy() for name in of_request}
        columns = {
            "platform": self.loan_platform.take(pa.array(found["loan"])),
            "loan_id": self.loan_id.take(pa.array(found["loan"])),
            "hop": summed["hop"],
            "source": pc.fill_null(_text(self._nodes, found["source"]), LENDERS),
            "entry_no": summed["entry_no_min"],
            "way": pa.array([str(way) for way in _WAYS]).take(pa.array(found["way"])),
            "request_no": _text(self._requests.texts, found["request"]),
            "target": _text(self._nodes, found["target"]),
            "other_loan": _text(self.loan_id, found["other_loan"]),
            "amount_minor": summed["amount_sum"],
        }
        return pa.table(columns).select(LEGS.names).cast(LEGS)

    def _lots_table(self, lots: _Lots) -> pa.Table:
        columns = {
            "platform": self.loan_platform.take(pa.array(lots.loan)),
            "loan_id": self.loan_id.take(pa.array(lots.loan)),
            "node": self._nodes.take(pa.array(lots.node)),
            "hop": lots.hop,
            "since": pa.array(lots.since.astype(np.int32)).cast(pa.date32()),
            "at_minor": lots.begins,
            "amount_minor": lots.amount,
        }
        return pa.table(columns).select(LOTS.names).cast(LOTS)


@dataclass(frozen=True)
class _Lots:
    """A loan's money on nodes: so much of what came there, from ``begins`` on."""

    loan: Ints
    node: Ints
    hop: Ints
    since: Ints
    begins: Ints
    amount: Ints

    def and_(self, *others: _Lots) -> _Lots:
        every = (self, *others)
        return _Lots(*(np.concatenate([getattr(lots, name) for lots in every]) for name in _Lots.__dataclass_fields__))

    def joined(self) -> _Lots:
        """Those of one loan and hop that lie side by side are one."""
        order = np.lexsort((self.begins, self.since, self.hop, self.loan, self.node))
        loan, node, hop, since, begins, amount = (getattr(self, name)[order] for name in _Lots.__dataclass_fields__)
        if not len(order):
            return self
        same = np.zeros(len(order), np.bool_)
        same[1:] = begins[1:] == (begins + amount)[:-1]
        for column in (loan, node, hop, since):
            same[1:] &= column[1:] == column[:-1]
        first = np.flatnonzero(~same)
        return _Lots(loan[first], node[first], hop[first], since[first], begins[first], np.add.reduceat(amount, first))


@dataclass(frozen=True)
class _Outs:
    """What left nodes, in the order of node and place; of a node they lie side by side from nothing to without end. ``move`` is -1
    for what stays."""

    node: Ints
    begins: Ints
    ends: Ints
    move: Ints
    target: Ints

    def cut(self, lots: _Lots) -> tuple[Ints, Ints, Ints, Ints]:
        """Which lot, in which out, from where on in the out, and how much."""
        lot_ends = lots.begins + lots.amount
        places = np.unique(np.concatenate([self.begins, lots.begins, lot_ends]))
        own = self.node * len(places) + np.searchsorted(places, self.begins)
        first, last = (lots.node * len(places) + np.searchsorted(places, place) for place in (lots.begins, lot_ends))
        # Of outs that begin at one place the last one is not empty.
        low, high = np.searchsorted(own, first, "right") - 1, np.searchsorted(own, last, "left")
        many = high - low
        at = np.repeat(np.arange(len(low)), many)
        out = np.arange(len(at)) - np.repeat(np.cumsum(many) - many, many) + low[at]
        begins = np.maximum(lots.begins[at], self.begins[out])
        return at, out, begins - self.begins[out], np.minimum(lot_ends[at], self.ends[out]) - begins


@dataclass(frozen=True)
class _Legs:
    loan: Ints
    hop: Ints
    source: Ints
    move: Ints
    way: Ints
    target: Ints
    other_loan: Ints
    amount: Ints


_NO_LOTS = _Lots(*(np.empty(0, np.int64) for _ in _Lots.__dataclass_fields__))
_IS_ON, _IS_OF_ANOTHER = (np.array([way in ways for way in _WAYS] + [False]) for ways in (GOES_ON, OF_ANOTHER))


class _OfType:
    """What custody.funds_paths says of each type of move."""

    def __init__(self, names: Sequence[str]) -> None:
        known = {str(kind): way for kind, way in WAY_OF.items()}
        self.way = np.array([_WAYS.index(known.get(name, Way.ELSEWHERE)) for name in names], np.int64)
        self.goes_on = np.array([known.get(name) in GOES_ON for name in names], np.bool_)
        self.repays = np.array([known.get(name) is Way.REPAID_OTHER for name in names], np.bool_)
        # The coupon's way to the lender is part of the entry that lends, not of what is lent.
        self.lends = np.array([name == TxnType.TENDER_SETTLE for name in names], np.bool_)
        self.from_card = np.array([name in FROM_CARD for name in names], np.bool_)
        self.to_card = np.array([name in TO_CARD for name in names], np.bool_)


def _placed(
    moves: pa.Table, of_type: _OfType, kind: Ints, lot_nodes: Sequence[pa.ChunkedArray], day: DayMoves
) -> tuple[Ints, Ints, pa.Array, list[Ints]]:
    """Of each move its source and target; then the nodes' names, and the lots' nodes."""
    accounts = _Codes(*(_customers(moves[name]) for name in ("from_account", "to_account")))
    payer, payee = accounts.columns
    if not len(kind):
        nodes = _Codes(*lot_nodes)
        return payer, payee, nodes.texts, nodes.columns
    by_card = of_type.from_card[kind] & (payer < 0), of_type.to_card[kind] & (payee < 0)
    persons = np.unique(np.concatenate([payee[by_card[0]], payer[by_card[1]]]))
    asked = accounts.texts.take(pa.array(persons[persons >= 0]))
    found = [some.filter(pc.is_in(some["sub_account"], asked)) for some in _together(day.people(*_ends(moves)))]
    people = pa.concat_tables([_NOBODY, *(some.select(PERSON_COLUMNS).cast(_NOBODY.schema) for some in found)])
    cards = pc.binary_join_element_wise(people["platform"], people["customer_id"], CARD_MARK)
    names = _Codes(accounts.texts, cards, *lot_nodes)
    card_of = np.full(len(accounts.texts) + 1, _NONE)
    card_of[pc.index_in(people["sub_account"], accounts.texts).to_numpy()] = names.columns[1]
    source = np.where(by_card[0], card_of[payee], payer)
    target = np.where(by_card[1], card_of[payer], payee)
    return source, target, names.texts, names.columns[2:]


_NOBODY = pa.schema([(name, pa.string()) for name in PERSON_COLUMNS]).empty_table()


def _ends(moves: pa.Table) -> tuple[str, str]:
    return moves["platform"][0].as_py(), moves["platform"][-1].as_py()


def _customers(accounts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The sub-accounts, without their parts; null for every other account."""
    parts = []
    for chunk in accounts.chunks:
        encoded = chunk.dictionary_encode()
        names = pc.list_element(pc.split_pattern(encoded.dictionary, ":", max_splits=1), 0)
        own = pc.if_else(pc.match_substring(encoded.dictionary, "."), names, pa.scalar(None, pa.string()))
        parts.append(own.take(encoded.indices))
    return pa.chunked_array(parts, pa.string())


def _openings(nodes: pa.Array, lots: tuple[Ints, pa.Table], moves: pa.Table, day: DayMoves) -> Ints:
    """What each node held at the day's beginning: an account its balance, a card what its lots say."""
    opening = np.zeros(len(nodes) + 1, np.int64)
    if not moves.num_rows:
        return opening
    for balances in _together(day.balances(*_ends(moves))):
        own = _customers(balances["account"])
        at = pc.fill_null(pc.index_in(own, nodes), len(nodes)).to_numpy()
        np.add.at(opening, at, balances["opening_minor"].to_numpy())
    numbers, table = lots
    np.maximum.at(opening, numbers, pc.add(table["at_minor"], table["amount_minor"]).to_numpy())
    return opening


def _together(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """In larger pieces: what is looked up in them is made ready once for each."""
    held: list[pa.Table] = []
    for piece in pieces:
        held.append(piece)
        if sum(table.num_rows for table in held) >= _LOOKED_UP_ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def _firsts(sorted_numbers: Ints) -> Ints:
    """Where each number first stands."""
    is_first = np.ones(len(sorted_numbers), np.bool_)
    is_first[1:] = sorted_numbers[1:] != sorted_numbers[:-1]
    return np.flatnonzero(is_first)


def _running(amount: Ints, first: Ints, segment: Ints) -> Ints:
    """The running sum within each segment."""
    whole = np.cumsum(amount)
    before = np.concatenate([[0], whole])[first]
    sums: Ints = whole - before[segment]
    return sums


def _running_most(amount: Ints, segment: Ints) -> Ints:
    """The greatest so far within each segment, at least 0."""
    if not len(amount) or amount.max() <= 0:
        return np.zeros(len(amount), np.int64)
    places, rank = np.unique(np.maximum(amount, 0), return_inverse=True)
    behind = segment * len(places)
    most: Ints = places[np.maximum.accumulate(rank + behind) - behind]
    return most


def _text(texts: pa.Array, numbers: Ints) -> pa.Array:
    return texts.take(pa.array(numbers, mask=numbers < 0))


def _day(on: date) -> int:
    return (on - date(1970, 1, 1)).days


def _days(column: pa.ChunkedArray) -> Ints:
    days: Ints = column.cast(pa.int32()).to_numpy().astype(np.int64)
    return days


def _on_card(lots: pa.Table) -> Any:
    return pc.match_substring(lots["node"], CARD_MARK)


def _spent(lots: pa.Table) -> pa.Table:
    nothing = pa.nulls(lots.num_rows, pa.string())
    found = pa.table(
        {
            **{name: lots[name] for name in ("platform", "loan_id", "hop")},
            "source": lots["node"],
            "entry_no": pa.array([0] * lots.num_rows, pa.int64()),
            "way": pa.array([str(Way.SPENT)] * lots.num_rows, pa.string()),
            **dict.fromkeys(("request_no", "target", "other_loan"), nothing),
            "amount_minor": lots["amount_minor"],
        }
    )
    of_node = [name for name in LEGS.names if name not in ("entry_no", "amount_minor")]
    summed = found.group_by(of_node).aggregate([("entry_no", "min"), ("amount_minor", "sum")])
    return summed.rename_columns([*of_node, "entry_no", "amount_minor"]).select(LEGS.names).cast(LEGS)
