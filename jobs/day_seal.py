"""Signing a closed day: its statement (custody.day_seal) goes to the folder of seals, once, as part of the close's publication."""

from __future__ import annotations

from connectors.bootstrap import Wiring
from connectors.register_tables import metadata
from custody.day_seal import JOURNALS, MASTERS, DayStatement, RegisterState, journal_part, master_rows
from custody.errors import StopRun
from custody.ports import RegisterTx, Row
from custody.services.outputs import Seal
from custody.services.seal_keys import seal_keys
from schemas.exchange import sha256_hex

_PAGE = 2_000


def sign_day(wiring: Wiring, close: Seal) -> None:
    """Sign the root that this close committed; a day that is signed stays as it is. Raises StopRun without the key of the date."""
    folder = wiring.seals
    with wiring.register.transaction() as tx:
        keys = seal_keys(tx, folder.first())
    folder.write_signers(keys)
    if folder.standing(close.custody_date, close.version):
        return
    # What was signed and is damaged since, `custody verify` names; here its rows are signed once more.
    before = [day.state for day in folder.kept(keys).days if day.state is not None]
    root = {row["step"]: row for row in wiring.lake.rows(close.path, "day_root")}
    yesterday = root["close_of_yesterday"]
    with wiring.register.transaction() as tx:
        event = _commit_of(tx, close)
        journals = {}
        for table, left_out in JOURNALS.items():
            first = max((state.journals[table].last for state in before if table in state.journals), default=0) + 1
            journals[table] = journal_part(first, _since(tx, table, first), number_of(table), left_out)
        masters = {table: master_rows(table, key_of(table), tx.find(table)) for table in MASTERS}
    state = RegisterState(journals, masters)
    statement = DayStatement(
        wiring.settings.instance.bank,
        close.custody_date,
        close.version,
        close.manifest_digest,
        yesterday["version"],
        yesterday["manifest_digest"],
        event["event_no"],
        event["hash"],
        sha256_hex(state.text()),
    )
    folder.put(statement, state, keys)


def number_of(table: str) -> str:
    """The column by which a journal counts its rows."""
    return str(metadata.tables[table].info["numbered_by"])


def key_of(table: str) -> list[str]:
    return [column.name for column in metadata.tables[table].primary_key.columns]


def _since(tx: RegisterTx, table: str, first: int) -> list[Row]:
    """A journal's rows from a number on, in order: a journal of years is not read to its beginning."""
    number, rows = number_of(table), list[Row]()
    while True:
        page = tx.page(table, [f"-{number}"], len(rows), _PAGE)
        rows += page
        if len(page) < _PAGE or page[-1][number] < first:
            return [row for row in reversed(rows) if row[number] >= first]


def _commit_of(tx: RegisterTx, close: Seal) -> Row:
    """The audit event of the close's commit: the last of its date, since versions follow one another."""
    events = tx.find("audit_event", ("event_no",), action="step.close", subject=close.custody_date.isoformat())
    if len(events) < close.version:
        raise StopRun(
            f"the audit chain does not tell of the close of {close.custody_date} v{close.version}: custody verify says more"
        )
    return events[close.version - 1]
