"""What a platform could publish wrongly of a month, or not at all; where platforms publish nothing, and of months whose figures are not
due within the world, there is no place."""

from __future__ import annotations

from collections.abc import Iterator

from custody.names import BreakKind, FileType
from schemas.field_types import Value
from simulator.edits import FileKey, RowEdit
from simulator.monthly_figures import DUE_BUSINESS_DAYS, SHARE_UNIT, share
from simulator.victim import Expect, Scene, Victim

_NO_FIGURES = ("as_of", "currency")


def figure(scene: Scene) -> Iterator[Victim]:
    """Each figure is a place of its own, so that which one is wrong is drawn with the place."""
    published = scene.own.published
    if published is None or published.sent_on > scene.days[-1].day:
        return
    key = _key(scene)
    for name, value in published.row.items():
        if name not in _NO_FIGURES:
            yield Victim(
                party=scene.platform,
                keys={"as_of": scene.day, "figure": name},
                expects=(scene.ab(BreakKind.DISCLOSURE.value, f"DISCLOSURE|{scene.day.isoformat()}|{name}"),),
                known_by=published.sent_on,
                rows=((key, RowEdit("change", (scene.day,), {name: _wrong(scene, name, value)})),),
            )


def missing(scene: Scene) -> Iterator[Victim]:
    """The file is never sent, which is known when it is due."""
    due = scene.calendar.add_business_days(scene.day, DUE_BUSINESS_DAYS) if scene.own.published is not None else None
    if due is None or due > scene.days[-1].day:
        return
    late = f"LATE|{scene.platform}|{FileType.DISCLOSURE.value}|{scene.day.isoformat()}"
    yield Victim(
        party=scene.platform,
        keys={"as_of": scene.day},
        expects=(Expect(scene.platform, "FILE", BreakKind.LATE_FILE.value, late),),
        known_by=due,
        rows=((_key(scene), RowEdit("drop", (scene.day,))),),
    )


def _key(scene: Scene) -> FileKey:
    return scene.key(FileType.DISCLOSURE)


def _wrong(scene: Scene, name: str, value: Value) -> Value:
    """Another value that the layout admits: a share of the balance is no more than all of it."""
    if isinstance(value, str):
        units, by = int(value.replace(".", "")), scene.rng.randrange(1, 100)
        return share(units + by if units + by <= SHARE_UNIT else units - by, SHARE_UNIT)
    assert isinstance(value, int)
    return value + scene.rng.randrange(1, 1_000_000 if name.endswith("_minor") else 10)
