"""A list that is sorted and paged by the server: what is shown, and the links that show it otherwise.

Where the register has the rows, a page begins after a *place*: what the last row before it has in the columns of the order. So the
thousandth page costs what the first does, and a row that comes meanwhile moves no other to the next page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from custody.errors import UsageError
from custody.ports import Register, Row

T = TypeVar("T")
ROWS_ON_A_PAGE = 50
# A file of a list has no more rows, and is read so many at a time.
MOST_EXPORTED = 100_000
ROWS_AT_ONCE = 2_000
# A link's parameters that say which part of a list is shown, in which order.
_OWN = ("page", "sort", "desc", "after", "before")

# What a row has in the columns of the order.
Place = Sequence[object]
# (order, start, limit, beyond) as custody.ports.RegisterTx.page.
Fetch = Callable[[Sequence[str], int, int, Place | None], Sequence[Row]]


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
    # All of them in this order, piece by piece.
    every: Callable[[], Iterator[Sequence[T]]]
    # Places that stand in the links to the neighbouring pages: {"after": ...} and {"before": ...}.
    onward: Mapping[str, str] = field(default_factory=dict)
    back: Mapping[str, str] = field(default_factory=dict)

    @property
    def as_file(self) -> str:
        """The link to the same list as a CSV file."""
        return query(self.link, {**self.asked, "sort": self.sort, "desc": 1 if self.descending else "", "export": "csv"})

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // ROWS_ON_A_PAGE))

    @property
    def onward_link(self) -> str:
        return self._link(self.page + 1, self.sort, self.descending, self.onward)

    @property
    def back_link(self) -> str:
        """The first page is told from its beginning."""
        return self._link(self.page - 1, self.sort, self.descending, self.back if self.page > 2 else {})

    def sorted_by(self, column: str) -> str:
        """The other way round where the list is sorted by it already."""
        return self._link(1, column, column == self.sort and not self.descending, {})

    def _link(self, page: int, sort: str, descending: bool, place: Mapping[str, str]) -> str:
        own = {"page": page if page > 1 else "", "sort": sort, "desc": 1 if descending else "", **place}
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
    ordered = sorted(rows, key=_weighed(columns[names[0]]))
    if (sort, descending) != (names[0], False):
        ordered.sort(key=_weighed(columns[sort]), reverse=descending)
    start = (page - 1) * ROWS_ON_A_PAGE
    shown = ordered[start : start + ROWS_ON_A_PAGE]
    return Listing(shown, len(rows), page, sort, descending, link, _others(params, prefix), prefix, lambda: iter([ordered]))


def listing_of(
    fetch: Callable[[Sequence[str], int, int], Sequence[T]],
    total: int,
    columns: Mapping[str, Sequence[str]],
    params: Mapping[str, str],
    link: str,
    prefix: str = "",
) -> Listing[T]:
    """The same of ``total`` rows that are too many to be made: ``fetch(order, start, limit)`` makes those of one page. ``columns``:
    by which of the rows' own columns each of the page's is ordered."""
    page, sort, descending = _wished(list(columns), total, params, prefix)
    order = _order(columns[sort], descending)
    rows = fetch(order, (page - 1) * ROWS_ON_A_PAGE, ROWS_ON_A_PAGE)
    asked = _others(params, prefix)
    return Listing(rows, total, page, sort, descending, link, asked, prefix, lambda: iter([fetch(order, 0, MOST_EXPORTED)]))


def rows_of(register: Register, table: str, unlike: Mapping[str, object] | None = None, /, **equals: object) -> Fetch:
    """The register's rows of a table with these column values, each part in a transaction of its own: a file of a hundred thousand rows keeps
    nobody waiting."""

    def fetch(order: Sequence[str], start: int, limit: int, beyond: Place | None) -> Sequence[Row]:
        with register.transaction() as tx:
            return tx.page(table, order, start, limit, None, unlike, beyond, **equals)

    return fetch


def listing_by_place(
    fetch: Fetch,
    total: int,
    columns: Mapping[str, Sequence[str]],
    params: Mapping[str, str],
    link: str,
    prefix: str = "",
) -> Listing[Row]:
    """The same of the register's rows (``rows_of``). ``columns``: each with the key, so that no two rows are equal."""
    page, sort, descending = _wished(list(columns), total, params, prefix)
    order = _order(columns[sort], descending)
    after, before = (_place(params.get(f"{prefix}{name}", "")) for name in ("after", "before"))
    if page > 1 and after is not None:
        rows = fetch(order, 0, ROWS_ON_A_PAGE, after)
    elif page > 1 and before is not None:
        rows = fetch(_order(columns[sort], not descending), 0, ROWS_ON_A_PAGE, before)[::-1]
    else:
        rows = fetch(order, (page - 1) * ROWS_ON_A_PAGE, ROWS_ON_A_PAGE, None)
    onward = {"after": _named(order, rows[-1])} if rows else {}
    back = {"before": _named(order, rows[0])} if rows else {}

    def every() -> Iterator[Sequence[Row]]:
        piece = fetch(order, 0, ROWS_AT_ONCE, None)
        while piece:
            yield piece
            piece = fetch(order, 0, ROWS_AT_ONCE, _values(order, piece[-1])) if len(piece) == ROWS_AT_ONCE else []

    return Listing(rows, total, page, sort, descending, link, _others(params, prefix), prefix, every, onward, back)


def _wished(names: Sequence[str], total: int, params: Mapping[str, str], prefix: str) -> tuple[int, str, bool]:
    """(page, column, whether downwards)"""
    sort = params.get(f"{prefix}sort", "")
    sort = sort if sort in names else names[0]
    text = params.get(f"{prefix}page", "")
    last = max(1, -(-total // ROWS_ON_A_PAGE))
    page = min(max(int(text), 1), last) if text.isdecimal() and len(text) < 8 else 1
    return page, sort, params.get(f"{prefix}desc", "") == "1"


def _order(columns: Sequence[str], descending: bool) -> list[str]:
    """The columns, each upwards unless it has ``-`` before it; or all the other way round."""
    if not descending:
        return list(columns)
    return [name[1:] if name.startswith("-") else f"-{name}" for name in columns]


def _values(order: Sequence[str], row: Row) -> list[object]:
    return [row[name.removeprefix("-")] for name in order]


def _named(order: Sequence[str], row: Row) -> str:
    """A row's place as a link says it; each value with its kind, since a column takes no other."""
    return json.dumps([_told(value) for value in _values(order, row)], ensure_ascii=False, separators=(",", ":"))


def _told(value: object) -> object:
    return {"day": value.isoformat()} if isinstance(value, date) else value


def _place(text: str) -> list[object] | None:
    """The place that a link names, None where it names none. Raises UsageError for what is none: it was written by hand."""
    if not text:
        return None
    try:
        said = json.loads(text)
        if isinstance(said, list):
            return [date.fromisoformat(one["day"]) if isinstance(one, dict) else one for one in said]
    except (ValueError, KeyError, TypeError):
        pass
    raise UsageError(f"{text[:40]!r} is no place in this list: begin at its first page / 列表位置无效，请从首页重新开始")


def _others(params: Mapping[str, str], prefix: str) -> dict[str, str]:
    mine = {f"{prefix}{name}" for name in _OWN}
    return {name: value for name, value in params.items() if name not in mine}


def _weighed(key: Callable[[T], Any]) -> Callable[[T], tuple[bool, Any]]:
    def of(row: T) -> tuple[bool, Any]:
        value = key(row)
        return (value is not None, value)

    return of
