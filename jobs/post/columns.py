"""A chunk of legs as Python sees it: instructions made column by column, and the columns that its postings share."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.item_index import accounts_named
from custody.calendar import CHINA
from custody.instruction import Instruction
from custody.names import Originator, TxnStatus, TxnType

_E = TypeVar("_E", bound=StrEnum)
_EPOCH = datetime(1970, 1, 1, tzinfo=CHINA) + timedelta(hours=8)
_DAY_MICROS, _OFFSET_MICROS = 86_400_000_000, 28_800_000_000
_OPTIONAL_MINOR = ("principal_minor", "interest_minor", "penalty_minor", "coupon_minor", "fee_minor")


def with_accounts(rows: pa.Table) -> pa.Table:
    """Landed legs with the accounts that they name, no amount absent, and the custody date on which they happened."""
    for name in _OPTIONAL_MINOR:
        rows = rows.set_column(rows.schema.get_field_index(name), name, pc.fill_null(rows[name], 0))
    for side in ("from", "to"):
        rows = rows.append_column(f"{side}_account", accounts_named(rows, side, "platform"))
    days = (_micros(rows) + _OFFSET_MICROS) // _DAY_MICROS
    return rows.append_column("value_date", pa.array(days.astype(np.int32), pa.date32()))


def _micros(rows: pa.Table) -> NDArray[np.int64]:
    micros: NDArray[np.int64] = rows["event_time"].cast(pa.int64()).to_numpy()
    return micros


def instructions_of(rows: pa.Table) -> list[Instruction]:
    """One for each row of what ``with_accounts`` gives."""
    made: dict[str, list[Any]] = {
        "txn_type": _members(rows["txn_type"], TxnType),
        "originator": _members(rows["originator"], Originator),
        "status": _members(rows["status"], TxnStatus),
        "event_time": _times(_micros(rows)),
        "value_date": _dates(rows["value_date"]),
    }
    columns = [made[name] if name in made else rows[name].to_pylist() for name in Instruction._fields]
    return list(map(Instruction._make, zip(*columns, strict=True)))


def _members(column: pa.ChunkedArray, of: type[_E]) -> list[_E]:
    members = {str(member): member for member in of}
    return [members[text] for text in column.to_pylist()]


def _times(micros: NDArray[np.int64]) -> list[datetime]:
    different, which = np.unique(micros, return_inverse=True)
    times = [_EPOCH + timedelta(microseconds=n) for n in different.tolist()]
    return [times[n] for n in which.tolist()]


def _dates(column: pa.ChunkedArray) -> list[date]:
    different, which = np.unique(column.cast(pa.int32()).to_numpy(), return_inverse=True)
    dates: list[date] = pa.array(different, pa.date32()).to_pylist()
    return [dates[n] for n in which.tolist()]
