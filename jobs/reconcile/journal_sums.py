"""The day's journal summed by what its moves are, once for all who ask: the paths of money and the completeness proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pyspark.sql import SparkSession

from custody.ports import Row

# A customer's account by its role, any other by its name behind the platform's.
_NAMED = "if({0} like '%.%', split_part({0}, '.', 2), concat(':', substring({0}, instr({0}, ':') + 1)))"
_AT_THE_CORE = (":CORE_CASH", ":OWN_CASH")


class JournalSum(NamedTuple):
    """Moves of one type between accounts of one kind. ``payer``, ``payee``: a role, or a colon and the name of an account without its
    platform; ``is_booked``: the core has booked them."""

    platform: str
    txn_type: str
    payer: str
    payee: str
    is_booked: bool
    rows: int
    amount_minor: int


def journal_sums(spark: SparkSession) -> list[JournalSum]:
    """Of the view journal."""
    found = spark.sql(
        f"""
        select platform, txn_type, {_NAMED.format("from_account")} as payer, {_NAMED.format("to_account")} as payee,
               core_ref is not null as is_booked, count(*) as rows, sum(shiftright(amount_minor, 32)) as high,
               sum(amount_minor & 4294967295) as low
        from journal group by 1, 2, 3, 4, 5
        """
    )
    return sorted(_summed(row) for row in found.toArrow().to_pylist())


def _summed(row: Row) -> JournalSum:
    minor = (row.pop("high") << 32) + row.pop("low")
    return JournalSum(**row, amount_minor=minor)


def paths_of_money(sums: Iterable[JournalSum]) -> list[Row]:
    """By type and kinds of account: a customer's role, or the name of any other account without its channel and part."""
    paths: Counter[tuple[str, str, str, str]] = Counter()
    for s in sums:
        paths[s.platform, s.txn_type, _kind(s.payer), _kind(s.payee)] += s.amount_minor
    names = ("platform", "txn_type", "payer", "payee")
    return [dict(zip(names, path, strict=True)) | {"amount_minor": minor} for path, minor in sorted(paths.items())]


def _kind(named: str) -> str:
    return named.removeprefix(":").split(":")[0].split("/")[0]


def booked_by_core(sums: Iterable[JournalSum]) -> tuple[int, int]:
    """How many moves of cash the core has booked, and by how much they raise it, in whole minor units."""
    rows = minor = 0
    for s in sums:
        raises, lowers = (named.endswith(_AT_THE_CORE) for named in (s.payer, s.payee))
        if s.is_booked and (raises or lowers):
            rows, minor = rows + s.rows, minor + (s.amount_minor if raises else -s.amount_minor)
    return rows, minor
