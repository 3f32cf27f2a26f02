"""What a channel could settle wrongly: rows of its SETTLEMENT file. The bank's credit stays what the bank instructed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from custody.names import BreakKind, FileType
from simulator.edits import RowEdit
from simulator.movement import Row
from simulator.victim import Expect, Scene, Victim


def _settled(scene: Scene, *directions: str) -> Iterator[tuple[str, Row]]:
    """(channel, row) of batches with at least two rows: a batch that vanished whole would be another fault."""
    for channel, rows in scene.own.settlements.items():
        sizes: dict[object, int] = {}
        for row in rows:
            sizes[row["settlement_batch"]] = sizes.get(row["settlement_batch"], 0) + 1
        for row in rows:
            if sizes[row["settlement_batch"]] >= 2 and row["direction"] in (directions or ("IN", "OUT")):
                yield channel, row


def _victim(
    scene: Scene, channel: str, row: Row, found: BreakKind | None, action: str, values: Row | None = None, batch: bool = True
) -> Victim:
    """``batch``: the batch's sums no longer agree (INV_09)."""
    about = f"CHANNEL|{channel}|{row['request_no']}"
    expects: list[Expect] = [scene.bc(found.value, about)] if found is not None else []
    inv_09 = scene.bc(BreakKind.INV_09.value, f"INV|INV_09|{row['settlement_batch']}")
    return Victim(
        party=channel,
        keys={"request_no": row["request_no"], "batch": row["settlement_batch"]},
        expects=(*expects, inv_09) if batch else tuple(expects),
        known_by=scene.day,
        rows=((scene.key(FileType.SETTLEMENT, channel), RowEdit(action, (row["request_no"], row["direction"]), values or {})),),
        touches=(f"{scene.platform}|{about}",),
    )


def _fen(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int)
    return value


def missing(scene: Scene) -> Iterator[Victim]:
    for channel, row in _settled(scene):
        yield _victim(scene, channel, row, BreakKind.MISSING_IN_CHANNEL, "drop")


def amount(scene: Scene) -> Iterator[Victim]:
    for channel, row in _settled(scene):
        more = scene.size(1, 10_000)
        values: Row = {"gross_minor": _fen(row, "gross_minor") + more, "net_minor": _fen(row, "net_minor") + more}
        yield _victim(scene, channel, row, BreakKind.AMOUNT, "change", values)


def fee(scene: Scene) -> Iterator[Victim]:
    """The channel takes more than its contract says."""
    for channel, row in _settled(scene, "IN"):
        more = min(scene.size(1, 50), _fen(row, "net_minor") - 1)
        values: Row = {"fee_minor": _fen(row, "fee_minor") + more, "net_minor": _fen(row, "net_minor") - more}
        if more > 0:
            yield _victim(scene, channel, row, BreakKind.FEE, "change", values)


def net(scene: Scene) -> Iterator[Victim]:
    """A net that is not gross less fee: each request is as instructed, the batch does not add up."""
    for channel, row in _settled(scene):
        yield _victim(scene, channel, row, None, "change", {"net_minor": _fen(row, "net_minor") + scene.size(1, 10_000)})


def status(scene: Scene) -> Iterator[Victim]:
    for channel, row in _settled(scene):
        yield _victim(scene, channel, row, BreakKind.STATUS, "change", {"status": "FAIL"}, batch=False)


def duplicate(scene: Scene) -> Iterator[Victim]:
    for channel, row in _settled(scene):
        yield _victim(scene, channel, row, BreakKind.DUPLICATE, "repeat")


def unknown(scene: Scene) -> Iterator[Victim]:
    """A recharge that nobody instructed stands in a batch."""
    for channel, row in _settled(scene, "IN"):
        new = row | {"request_no": scene.number()}
        yield _victim(scene, channel, new, BreakKind.MISSING_IN_LEDGER, "add", new)


def returned(scene: Scene) -> Iterator[Victim]:
    """The channel gives a withdrawal back (its payee's bank refused it), of which the bank was not told."""
    batches = dict(_settled(scene, "IN"))
    for channel, row in _settled(scene, "OUT"):
        into = batches.get(channel)
        if into is None:
            continue
        same = {name: into[name] for name in ("settlement_batch", "settle_date")}
        back: Row = row | same | {"direction": "IN", "fee_minor": 0, "net_minor": row["gross_minor"]}
        victim = _victim(scene, channel, back, BreakKind.RETURNED, "add", back)
        yield replace(victim, allows=(replace(victim.expects[0], kind=BreakKind.MISSING_IN_LEDGER.value),))
