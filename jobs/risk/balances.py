"""What a day's posted balances and holds come to, in one pass over each: by platform, by borrower."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import is_word
from custody.names import Book, HoldKind, Role
from custody.ports import Row
from jobs.step import StepContext

_BORROWERS = f".{Role.BORROWER}."
_AVAILABLE = ":available"
_WORDS = ("platform", "book", "currency")


@dataclass
class Standing:
    """Minor units at the end of the date. ``customers``: the sum of all sub-accounts, by platform; ``own``: the rows of all other accounts;
    ``for_repayment``: what each borrower can repay with, his available balance and what he has frozen for repayment."""

    customers: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    own: list[Row] = field(default_factory=list)
    currency: dict[str, str] = field(default_factory=dict)
    for_repayment: dict[str, int] = field(default_factory=dict)


def standing(context: StepContext) -> Standing:
    """The end of the step's date."""
    found = Standing()
    names, minors = [], []
    for part in parts(context, "balances", ("platform", "book", "account", "currency", "closing_minor"), words=_WORDS):
        is_customers = pc.match_substring(part["account"], ".")
        found.own += part.filter(pc.invert(is_customers)).to_pylist()
        is_mine = pc.and_(is_customers, is_word(part["book"], Book.CUSTODY))
        mine = part.select(["platform", "currency", "closing_minor"]).filter(is_mine)
        for platform, currency, minor in _sums(mine, ["platform", "currency"], "closing_minor"):
            found.customers[platform] += minor
            found.currency[platform] = currency
        borrowers = pc.and_(pc.match_substring(part["account"], _BORROWERS), pc.ends_with(part["account"], _AVAILABLE))
        of_borrowers = part.select(["account", "closing_minor"]).filter(pc.and_(is_mine, borrowers))
        names.append(pc.utf8_slice_codeunits(of_borrowers["account"], 0, -len(_AVAILABLE)))
        minors.append(of_borrowers["closing_minor"])
    for part in parts(context, "holds", ("account", "kind", "amount_minor")):
        frozen = part.filter(pc.equal(part["kind"], str(HoldKind.REPAY)))
        names.append(frozen["account"])
        minors.append(frozen["amount_minor"])
    money = pa.table({"account": _whole(names, pa.string()), "minor": _whole(minors, pa.int64())})
    summed = money.group_by("account").aggregate([("minor", "sum")])
    found.for_repayment = dict(zip(summed["account"].to_pylist(), summed["minor_sum"].to_pylist(), strict=True))
    for row in found.own:
        found.currency.setdefault(row["platform"], row["currency"])
    return found


def _whole(columns: Sequence[pa.ChunkedArray], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], kind)


def _sums(table: pa.Table, keys: list[str], column: str) -> Iterator[tuple[str, str, int]]:
    summed = table.group_by(keys, use_threads=False).aggregate([(column, "sum")])
    yield from zip(*(summed[name].to_pylist() for name in (*keys, f"{column}_sum")), strict=True)


def parts(
    context: StepContext, table: str, columns: Sequence[str], step: str = "post", words: Sequence[str] = ()
) -> Iterator[pa.Table]:
    """A table of the posted day in pieces of bounded size; ``words`` as Lake.pieces takes them."""
    seal = context.seal(step)
    assert seal is not None
    yield from context.wiring.lake.pieces(seal.path, table, {}, list(columns), words=words)


def fees_of(amounts: np.ndarray, millionths: int, least_minor: int) -> np.ndarray:  # type: ignore[type-arg]
    """What a channel asks for payments, by its contract's rate, each in whole minor units, half to even, and at least so much; nothing of what
    is no payment. The same as custody.cause_proofs.Rate.fee_of, without overflow: amounts are split at a million."""
    whole, rest = np.divmod(amounts, 1_000_000)
    exact, left = np.divmod(rest * millionths, 1_000_000)
    floor = whole * millionths + exact
    up = (left > 500_000) | ((left == 500_000) & (floor % 2 == 1))
    return np.where(amounts > 0, np.maximum(floor + up, least_minor), 0)
