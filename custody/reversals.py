"""Reversals: what a restated file of instructions takes back of a sealed day (domain.md §3, design.md §2).

The closed day is never edited: each leg that stands in the newer version no more becomes a REVERSAL on the open day, valued on the
day of the leg, under a number of its own; legs that are new or changed follow it. How a posted leg is taken back, and when it
cannot be, custody.ledger and its registers say.
"""

from __future__ import annotations

from datetime import date, time
from typing import Any

from custody.calendar import at, custody_date_of
from custody.names import Originator, TxnType

Row = dict[str, Any]

# Where such a leg stands: the version that was withdrawn, marked so that no sender's file can have the name.
REVERSAL = "reversal:"
# Before all that the newer version says of the date.
_FIRST = time(0, 0, 0)
_NAMES = ("role", "user_no")
_SAYS_NOTHING = ("channel", "settlement_batch", "direction", "fee_minor")


def request_of(request_no: str, posted_on: date) -> str:
    """The number under which a leg of this request is reversed on a day; a later version may do it once more."""
    return f"REV{posted_on:%Y%m%d}-{request_no}"


def reversed_request(request_no: str) -> str:
    """The request that ``request_of`` was given."""
    return request_no.partition("-")[2]


def reversal_of(landed: Row, replaced_by: str, posted_on: date) -> Row:
    """A landed instruction's reversal, as a landed instruction of ``posted_on``. It keeps the status, loan and parts of what it
    takes back; it names the file that took the other's place."""
    swapped = {f"{side}_{name}": landed[f"{other}_{name}"] for side, other in (("from", "to"), ("to", "from")) for name in _NAMES}
    return {
        **landed,
        **dict.fromkeys(_SAYS_NOTHING),
        **swapped,
        "file_name": f"{REVERSAL}{landed['file_name']}",
        "request_no": request_of(landed["request_no"], posted_on),
        "txn_type": str(TxnType.REVERSAL),
        "originator": str(Originator.BANK),
        "authorisation_id": replaced_by,
        "related_request_no": landed["request_no"],
        "event_time": at(custody_date_of(landed["event_time"]), _FIRST),
    }
