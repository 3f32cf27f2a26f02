"""What a run lays by: it comes back as it was, by whichever process, cannot be read on disk, and leaves nothing behind."""

from __future__ import annotations

import pickle
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.laid_by import Pile, Shelf
from custody.errors import SealBroken


def tables(count: int) -> list[pa.Table]:
    return [pa.table({"name": ["Zhang Sanfeng"] * 500, "n": [number] * 500}) for number in range(count)]


def piled(shelf: Shelf, items: list[pa.Table]) -> Pile[pa.Table]:
    pile: Pile[pa.Table] = Pile(shelf)
    pile.extend(items)
    return pile


@pytest.mark.parametrize("memory_bytes", [0, 30_000, 1 << 30])
def test_what_is_laid_by_comes_back_in_its_order(memory_bytes: int, tmp_path: Path) -> None:
    items = tables(10)
    pile = piled(Shelf(tmp_path, memory_bytes), items)
    assert list(pile) == items and len(pile) == 10 and pile[3] == items[3]
    pile.take_away(2, 4)
    pile.take_away(6)
    assert list(pile) == [*items[:2], *items[4:8]]
    pile.append(items[0])
    assert list(pile) == [*items[:2], *items[4:8], items[0]]


def test_another_process_takes_the_file_over_and_its_name_is_gone(tmp_path: Path) -> None:
    items = tables(5)
    shelf = Shelf(tmp_path, 0)
    sent = pickle.dumps([piled(shelf, items), piled(shelf, items[::-1])])
    assert len(list(tmp_path.iterdir())) == 1
    one, two = pickle.loads(sent)
    assert list(tmp_path.iterdir()) == []
    assert (list(one), list(two)) == (items, items[::-1])


def test_nothing_of_it_can_be_read_on_disk_or_changed_there(tmp_path: Path) -> None:
    pile = piled(Shelf(tmp_path, 0), tables(2))
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    assert b"Zhang" not in data and len(data) > 10_000
    path.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    with pytest.raises(SealBroken, match="changed meanwhile"):
        pile[0]


def test_a_file_without_a_name_stays_in_its_process() -> None:
    pile = piled(Shelf(None, 0), tables(2))
    assert list(pile) == tables(2)
    with pytest.raises(ValueError, match="without a name"):
        pickle.dumps(pile)
