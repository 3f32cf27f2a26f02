"""Faults that meet: two on one row, request, account, batch or day. What must be found is what each alone would show, less what the
other covers: of one subject the first kind speaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from custody.names import BreakKind, FileType, TxnStatus
from simulator import victims_channel as channel
from simulator import victims_core as core
from simulator import victims_files as files
from simulator import victims_states as states
from simulator import victims_txn as txn
from simulator.edits import CoreEdit, RowEdit
from simulator.victim import Scene, Victim, tomorrow

_A_DAY_LATE = "missing_file"


def _both(one: Victim, other: Victim) -> Victim:
    """Two victims as one; what both expect is expected once."""
    return replace(
        one,
        keys=one.keys | {name: value for name, value in other.keys.items() if name not in one.keys},
        expects=tuple(dict.fromkeys((*one.expects, *other.expects))),
        known_by=max(one.known_by, other.known_by),
        allows=(*one.allows, *other.allows),
        follows=(*one.follows, *other.follows),
        rows=(*one.rows, *other.rows),
        core=(*one.core, *other.core),
        file=one.file or other.file,
        spoils=one.spoils or other.spoils,
        touches=(*one.touches, *other.touches),
        sound=(*one.sound, *other.sound),
    )


def _changed(victim: Victim, **values: object) -> Victim:
    """The same row changed in more columns, which the first kind's finding covers."""
    [(file, edit)] = victim.rows
    return replace(victim, rows=((file, replace(edit, values=edit.values | values)),))  # type: ignore[arg-type]


def _late_claims(scene: Scene, victims: Iterator[Victim]) -> Iterator[Victim]:
    """The same in a file that comes a day late: known when it comes."""
    late = next((v for v in files.late_a_day(scene) if v.file is not None and v.file[1] == FileType.TXN), None)
    if late is not None:
        for victim in victims:
            yield _both(replace(victim, known_by=tomorrow(scene.day)), replace(late, spoils=_A_DAY_LATE))


def late_amount(scene: Scene) -> Iterator[Victim]:
    """Another amount, in a file that comes late."""
    return _late_claims(scene, txn.amount(scene))


def late_missing(scene: Scene) -> Iterator[Victim]:
    """A movement left out of a file that comes late."""
    return _late_claims(scene, txn.missing(scene))


def late_duplicate(scene: Scene) -> Iterator[Victim]:
    """A movement twice in a file that comes late."""
    return _late_claims(scene, txn.duplicate(scene))


def duplicate_status(scene: Scene) -> Iterator[Victim]:
    """A movement stands twice, once as failed."""
    for victim in txn.duplicate(scene):
        [(file, edit)] = victim.rows
        failed = RowEdit("change", edit.key, {"status": TxnStatus.FAIL.value})
        yield replace(victim, rows=(*victim.rows, (file, failed)))


def amount_status(scene: Scene) -> Iterator[Victim]:
    """Another amount, and failed besides: the amount speaks."""
    for victim in txn.amount(scene):
        yield _changed(victim, status=TxnStatus.FAIL.value)


def account_amount(scene: Scene) -> Iterator[Victim]:
    """Another customer, and another amount besides: the account speaks."""
    amounts = {str(edit.key): edit.values["amount_minor"] for v in txn.amount(scene) for _, edit in v.rows}
    for victim in txn.wrong_account(scene):
        amount = amounts.get(str(victim.rows[0][1].key))
        if amount is not None:
            yield _changed(victim, amount_minor=amount)


def amount_balance(scene: Scene) -> Iterator[Victim]:
    """A platform reports another amount and a wrong balance on one day."""
    balances = list(states.balance_wrong(scene))
    for victim in txn.amount(scene):
        if balances:
            yield _both(victim, scene.rng.choice(balances))


def core_reference(scene: Scene) -> Iterator[Victim]:
    """The core booked a flow under a reference that nobody knows: missing under ours, unknown under its own; the balance holds."""
    by_ref = {(flow.account, flow.core_ref): flow for flow in scene.own.core_flows}
    for victim in core.missing(scene):
        [(day, edit)] = victim.core
        flow, other = by_ref[edit.account, edit.core_ref], f"Y{edit.core_ref}"
        added = CoreEdit("add", edit.account, other, flow=replace(flow, core_ref=other))
        unknown = scene.bc(BreakKind.MISSING_IN_LEDGER.value, f"CORE|{edit.account}|{other}")
        yield replace(victim, expects=(victim.expects[0], unknown), core=(*victim.core, (day, added)))


def core_amount_currency(scene: Scene) -> Iterator[Victim]:
    """Another amount in another currency: the currency speaks."""
    for victim in core.amount(scene):
        [(day, edit)] = victim.core
        spoken = replace(victim.expects[0], kind=BreakKind.CURRENCY.value)
        yield replace(victim, expects=(spoken, *victim.expects[1:]), core=((day, replace(edit, currency="USD")),))


def short_fee(scene: Scene) -> Iterator[Victim]:
    """A batch of which the channel keeps a higher fee, and of which the core is credited less than was settled."""
    fees = {str(v.keys["batch"]): v for v in channel.fee(scene)}
    for victim in core.settlement_short(scene):
        fee = fees.get(str(victim.keys["core_ref"]))
        if fee is not None:
            yield _both(victim, fee)


def short_unproved(scene: Scene) -> Iterator[Victim]:
    """The core is credited less, and the channel's file that would show it comes a day late."""
    for victim in core.settlement_short(scene):
        of_channel = replace(scene, party=scene.parties[str(victim.keys["channel"])])
        for late in files.late_a_day(of_channel):
            yield _both(replace(victim, known_by=tomorrow(scene.day)), replace(late, spoils=_A_DAY_LATE))
