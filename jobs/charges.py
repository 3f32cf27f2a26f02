"""Charges of custody fees as files that go out: to the core what it is to take, to each platform its notice."""

from __future__ import annotations

from datetime import date
from typing import Any

from connectors.bootstrap import Wiring
from custody.ports import Row
from custody.services.deliveries import deliver_pending
from custody.services.fee_charges import Sending, send_charges
from schemas.exchange import ExchangeName, sha256_hex
from schemas.layout import load_layout
from schemas.layout_file import write_file

_CHARGE, _NOTICE = "bank_charge/1", "bank_fee_notice/1"
_ENCODING = "utf-8"


def send(wiring: Wiring, on: date, actor: str) -> dict[str, Any]:
    """Send what was approved and is due, and what is in arrears, and deliver what waits. Sending again sends nothing twice.

    Raises NotPermitted; UsageError without a live gateway.
    """
    tries = send_charges(wiring.register, wiring.clock, actor, on, _sending(wiring))
    delivery = deliver_pending(wiring.exchange_ports)
    return {"date": on.isoformat(), "tries": tries, "delivered": delivery.delivered, "failed": [list(f) for f in delivery.failed]}


def _sending(wiring: Wiring) -> Sending:
    def keep(data: bytes) -> tuple[str, str]:
        sha256 = sha256_hex(data)
        return sha256, wiring.archive.keep(data, sha256)

    return Sending(charge_file, notice_file, keep, lambda party, kind, on, batch: str(ExchangeName(party, kind, on, batch, 1)))


def charge_file(rows: list[Row], on: date) -> bytes:
    return write_file(load_layout(_CHARGE), rows, _ENCODING, on)


def notice_file(rows: list[Row], on: date) -> bytes:
    return write_file(load_layout(_NOTICE), rows, _ENCODING, on)
