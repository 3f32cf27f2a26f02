"""A list that is sorted and paged by the server: what is shown, and the links that show it otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

T = TypeVar("T")
ROWS_ON_A_PAGE = 50
# A file of a list has no more rows.
MOST_EXPORTED = 100_000


def query(page: str, values: Mapping[str, object]) -> str:
    """A relative link with those of the parameters that say something."""
    said = {name: str(value) for name, value in values.items() if value not in (None, "")}
    return f"{page}?{urlencode(said)}" if said else page


@dataclass(frozen=True)
class Listing(Generic[T]):
    """``rows`` of one page. ``asked``: the link's other parameters; ``prefix`` keeps two lists of one page apart."""

    rows: Sequence[T]
    total: int
    page: int
    sort: str
    descending: bool
    link: str
    asked: Mapping[str, str]
    prefix: str
    # All of them in this order, up to as many as a file takes.
    every: Callable[[], Sequence[T]]

    @property
    def as_file(self) -> str:
        """The link to the same list as a CSV file."""
        return query(self.link, {**self.asked, "sort": self.sort, "desc": 1 if self.descending else "", "export": "csv"})

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // ROWS_ON_A_PAGE))

    def at(self, page: int) -> str:
        return self._link(page, self.sort, self.descending)

    def sorted_by(self, column: str) -> str:
        """The other way round where the list is sorted by it already."""
        return self._link(1, column, column == self.sort and not self.descending)

    def _link(self, page: int, sort: str, descending: bool) -> str:
        own = {"page": page if page > 1 else "", "sort": sort, "desc": 1 if descending else ""}
        return query(self.link, {**self.asked, **{f"{self.prefix}{name}": value for name, value in own.items()}})


def listing(
    rows: Sequence[T],
    columns: Mapping[str, Callable[[T], Any]],
    params: Mapping[str, str],
    link: str,
    prefix: str = "",
) -> Listing[T]:
    """One page of ``rows``, sorted by one of ``columns`` (the first, unless the parameters name another).

    What a link says that makes no sense is answered by the first page, and by the last for one beyond it.
    """
    names = list(columns)
    page, sort, descending = _wished(names, len(rows), params, prefix)
    # None sorts first; a stable sort by the first column decides among equals.
    ordered = sorted(sorted(rows, key=_weighed(columns[names[0]])), key=_weighed(columns[sort]), reverse=descending)
    start = (page - 1) * ROWS_ON_A_PAGE
    shown = ordered[start : start + ROWS_ON_A_PAGE]
    return Listing(shown, len(rows), page, sort, descending, link, _others(params, prefix), prefix, lambda: ordered)


def listing_of(
    fetch: Callable[[Sequence[str], int, int], Sequence[T]],
    total: int,
    columns: Mapping[str, Sequence[str]],
    params: Mapping[str, str],
    link: str,
    prefix: str = "",
) -> Listing[T]:
    """The same of ``total`` rows that are too many to be read: ``fetch(order, start, limit)`` reads those of one page. ``columns``:
    by which of the register's columns each of the page's is ordered."""
    page, sort, descending = _wished(list(columns), total, params, prefix)
    order = [f"-{name}" if descending else name for name in columns[sort]]
    rows = fetch(order, (page - 1) * ROWS_ON_A_PAGE, ROWS_ON_A_PAGE)
    asked = _others(params, prefix)
    return Listing(rows, total, page, sort, descending, link, asked, prefix, lambda: fetch(order, 0, MOST_EXPORTED))


def _wished(names: Sequence[str], total: int, params: Mapping[str, str], prefix: str) -> tuple[int, str, bool]:
    """(page, column, whether downwards)"""
    sort = params.get(f"{prefix}sort", "")
    sort = sort if sort in names else names[0]
    text = params.get(f"{prefix}page", "")
    last = max(1, -(-total // ROWS_ON_A_PAGE))
    page = min(max(int(text), 1), last) if text.isdecimal() and len(text) < 8 else 1
    return page, sort, params.get(f"{prefix}desc", "") == "1"


def _others(params: Mapping[str, str], prefix: str) -> dict[str, str]:
    mine = {f"{prefix}{name}" for name in ("page", "sort", "desc")}
    return {name: value for name, value in params.items() if name not in mine}


def _weighed(key: Callable[[T], Any]) -> Callable[[T], tuple[bool, Any]]:
    def of(row: T) -> tuple[bool, Any]:
        value = key(row)
        return (value is not None, value)

    return of
