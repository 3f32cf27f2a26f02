"""An iterator whose next item is made while the present one is worked on: of use where making it leaves the interpreter alone, as reading does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_END: Any = object()


def ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """The same items in the same order; an error is raised where its item would come. Of one item alone no thread is made."""
    first = next(items, _END)
    if first is _END:
        return
    yield first
    del first
    item = next(items, _END)
    if item is _END:
        return
    with ThreadPoolExecutor(1) as reader:
        while item is not _END:
            coming = reader.submit(next, items, _END)
            yield item
            item = coming.result()
