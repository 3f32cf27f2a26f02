"""Large values and suspicious transactions as files: what a date sealed, with the persons' data beside it as they are known when it goes out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from connectors.bootstrap import Wiring
from custody.errors import UsageError
from custody.names import FileType
from custody.personal import latest
from custody.ports import RegisterTx, Row
from custody.services.access import SYSTEM
from custody.services.alerts import end_alert, put_alert
from custody.services.aml_filings import (
    APPROVED,
    DUE,
    LARGE_RULE,
    PROPOSED,
    REFUSED,
    Filing,
    Sending,
    filings_of,
    send_filings,
    standing,
)
from custody.services.deliveries import deliver_pending
from custody.services.outputs import latest_seal
from schemas.exchange import ExchangeName, sha256_hex
from schemas.layout import load_layout
from schemas.layout_file import write_file

_LAYOUTS = {FileType.LARGE_VALUE: "bank_large_value/1", FileType.SUSPICIOUS: "bank_suspicious/1"}
_PERSONAL = ("id_type", "id_no", "name")
_RULE = "CONFIDENTIAL"
# No filing is due later than that after its date, whatever holidays lie between.
_LOOK_BACK_DAYS = 30
_OWED = (DUE, PROPOSED, APPROVED, REFUSED)


def filings_on(wiring: Wiring, on: date) -> list[Filing]:
    """What of a date may be filed; nothing where compliance has not run."""
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, on, "compliance")
    return [] if seal is None else filings_of(on, seal.manifest_digest, wiring.lake.rows(seal.path, "filing_rows"))


def send(wiring: Wiring, today: date, actor: str) -> dict[str, Any]:
    """Send what was approved, and deliver what waits. Sending again sends nothing twice. Raises NotPermitted, UsageError."""
    names, stay = send_filings(wiring.register, wiring.clock, actor, today, _sending(wiring))
    with wiring.register.transaction() as tx:
        for row in tx.find("alert", rule=_RULE, state=["OPEN", "ACKNOWLEDGED"]):
            number = _filing_of(row["subject"])
            if number and standing(tx, number).state not in _OWED:
                end_alert(tx, SYSTEM, tx.moment(), row["alert_id"], ("it has been filed", "已报送"))
    delivery = deliver_pending(wiring.exchange_ports) if names else None
    return {"sent": names, "stay": stay, "delivered": delivery.delivered if delivery else []}


def _filing_of(subject: str) -> str:
    """The filing that a confidential alert waits for: one that is due, or a date's list of large values; "" of any other."""
    kind, _, rest = subject.partition("|")
    if kind == "FILING":
        return rest
    on, _, rule = rest.partition("|")
    return f"LV-{on.replace('-', '')}" if (kind, rule) == ("LIST", LARGE_RULE) else ""


def due_by(wiring: Wiring, on: date) -> list[Filing]:
    """The lists of large values that must be filed by the end of this date, filed or not."""
    days = (on - timedelta(days=back) for back in range(_LOOK_BACK_DAYS))
    found = (one for day in days for one in filings_on(wiring, day))
    return [one for one in found if one.file_type is FileType.LARGE_VALUE and one.due_on <= on]


def warn_of_due(tx: RegisterTx, filings: Iterable[Filing], on: date) -> None:
    """An alert for each of them that has not gone out; it says no more than that."""
    for one in filings:
        if standing(tx, one.filing_no).state in _OWED:
            words = f"a confidential filing is due on {one.due_on}", f"一份保密报送应于 {one.due_on} 前完成"
            put_alert(tx, SYSTEM, _RULE, f"FILING|{one.filing_no}", on, words, "HIGH", "", "")


def filing_file(wiring: Wiring, filing: Filing) -> bytes:
    """Its bytes. Raises UsageError where nothing is kept of a person any more."""
    rows = [
        row | {"filing_no": filing.filing_no, "row_no": number, "currency": "CNY"} | _person(wiring, row)
        for number, row in enumerate(filing.rows, start=1)
    ]
    return write_file(load_layout(_LAYOUTS[filing.file_type]), rows, "utf-8", filing.on)


def _person(wiring: Wiring, row: Row) -> dict[str, Any]:
    words = latest(wiring.persons.said(row["customer_id"]))
    if not words:
        raise UsageError(f"nothing is kept of customer {row['customer_id']}: the filing cannot name him")
    said = words.get(row["platform"]) or words[min(words)]
    return {name: said.fields.get(name) for name in _PERSONAL}


def _sending(wiring: Wiring) -> Sending:
    def keep(data: bytes) -> tuple[str, str]:
        sha256 = sha256_hex(data)
        return sha256, wiring.archive.keep(data, sha256)

    return Sending(
        lambda on: filings_on(wiring, on),
        lambda filing: filing_file(wiring, filing),
        keep,
        lambda party, kind, on, batch: str(ExchangeName(party, kind, on, batch, 1)),
    )
