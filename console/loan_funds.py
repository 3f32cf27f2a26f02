"""Where one loan's money went, read from what each day's reconciliation sealed since its disbursal."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.errors import UsageError
from custody.names import BreakKind
from custody.ports import Row
from custody.services.loan_funds import FundsPath, loan_funds
from custody.services.outputs import newest_seals
from custody.services.statements import readable


def funds_of(wiring: Wiring, platform: str, loan_id: str) -> FundsPath:
    """Raises UsageError for a loan that the keyed store does not have. Empty before a day of it is reconciled."""
    up_to = readable(wiring.ledger_reader)
    loan = wiring.ledger_reader.loan(platform, loan_id)
    if loan is None:
        raise UsageError(f"no loan {loan_id!r} of platform {platform!r} in the keyed store")
    begun = loan["disbursed_on"]
    with wiring.register.transaction() as tx:
        seals = newest_seals(tx, "reconcile")
    if not seals:
        return loan_funds(loan, [], [], [], up_to)
    of_loan = [seal for seal in seals if begun is not None and seal.custody_date >= begun]
    days = [(seal.custody_date, _rows(wiring.lake.read(seal.path, "funds_paths"), platform, loan_id)) for seal in of_loan]
    last = seals[-1]
    lots = _rows(wiring.lake.read(last.path, "funds_lots"), platform, loan_id)
    breaks = wiring.lake.read(last.path, "breaks")
    of_kind = pc.and_(pc.equal(breaks["platform"], platform), pc.equal(breaks["kind"], str(BreakKind.USE_OF_FUNDS)))
    found = breaks.filter(pc.and_(of_kind, pc.starts_with(breaks["subject"], f"FUNDS|{loan_id}|")))
    return loan_funds(loan, days, lots, found.to_pylist(), last.custody_date)


def _rows(table: pa.Table, platform: str, loan_id: str) -> list[Row]:
    is_it = pc.and_(pc.equal(table["platform"], platform), pc.equal(table["loan_id"], loan_id))
    rows: list[Row] = table.filter(is_it).to_pylist()
    return rows
