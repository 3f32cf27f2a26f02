"""Reading ahead changes neither what comes nor where an error is raised, and leaves no thread behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from connectors.read_ahead import ahead


def numbers(count: int, made: list[int], fails: bool = False) -> Iterator[int]:
    for number in range(count):
        made.append(number)
        yield number
    if fails:
        raise ValueError("behind the last")


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_items_come_in_order_and_an_error_in_its_place(count: int) -> None:
    assert list(ahead(numbers(count, []))) == list(range(count))
    seen = []
    with pytest.raises(ValueError, match="behind the last"):
        for item in ahead(numbers(count, [], fails=True)):
            seen.append(item)
    assert seen == list(range(count))


def test_who_stops_early_has_one_item_made_too_many_and_no_thread_left() -> None:
    before, made = threading.active_count(), list[int]()
    items = ahead(numbers(9, made))
    assert [next(items), next(items)] == [0, 1]
    items.close()  # type: ignore[attr-defined]
    assert made == [0, 1, 2] and threading.active_count() == before
