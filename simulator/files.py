"""Each party's files for a date: rows to bytes, sealed, spoiled where the plan says so; and the core's flows and balances."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from custody.money import format_amount, parse_amount
from custody.names import FileType, PartyKind
from schemas.delimited import control_totals, write_delimited
from schemas.exchange import ExchangeName, Seal, SealedFile, sha256_hex
from schemas.layout import Layout, load_layout
from simulator.faults import FaultPlan, apply_core_edits, apply_row_edits
from simulator.movement import CURRENCY, DayTruth, Row
from simulator.parties import SendingParty


def rows_of(party: SendingParty, file_type: FileType, truth: DayTruth) -> list[Row]:
    """The true rows of one party's file."""
    if party.kind is PartyKind.GATEWAY:
        moves = [move for platform in truth.platforms.values() for move in platform.instructions]
        return [move.instruction_row() for move in sorted(moves, key=lambda m: (m.event_time, m.platform, *m.order[1:]))]
    if party.kind is PartyKind.CHANNEL:
        return [row for platform in truth.platforms.values() for row in platform.settlements[party.party]]
    own = truth.platforms[party.party]
    if file_type is FileType.TXN:
        return [move.txn_row() for move in own.txn]
    tables = {
        FileType.CUSTOMER: own.customers,
        FileType.LOAN: own.loans,
        FileType.CLAIM: own.claims,
        FileType.BALANCE: own.balances,
    }
    return tables[file_type]


def key_columns(layout: Layout) -> tuple[str, ...]:
    return tuple(layout.field(name).column for name in layout.key)


@dataclass
class FileWriter:
    """Writes the days in order. What a fault delays waits in ``_resend`` for the next day's folder."""

    out: Path
    parties: list[SendingParty]
    plan: FaultPlan
    counts: dict[str, int] = field(default_factory=lambda: {"files": 0, "rows": 0, "core_flows": 0})
    _resend: dict[ExchangeName, list[tuple[SealedFile, bytes]]] = field(default_factory=dict)
    _core_shift: dict[str, int] = field(default_factory=dict)

    def write_day(self, truth: DayTruth) -> None:
        folder = self.out / truth.day.isoformat()
        folder.mkdir()
        waiting, self._resend = self._resend, {}
        for party in self.parties:
            (folder / party.party).mkdir()
            self._write_party(folder / party.party, party, truth)
        for seal_name, sealed in waiting.items():
            self._write_sealed(folder / seal_name.party, seal_name, sealed)
        self._write_core(folder / "CORE", truth)

    def _write_party(self, folder: Path, party: SendingParty, truth: DayTruth) -> None:
        sealed = []
        for file_type in party.file_types:
            key = (party.party, file_type.value, truth.day)
            layout = load_layout(party.layout(file_type))
            rows = apply_row_edits(rows_of(party, file_type, truth), key_columns(layout), self.plan.rows.get(key, []))
            data = write_delimited(layout, rows, party.encoding)
            data = self._spoil_lines(layout, data, key)
            name = ExchangeName(party.party, file_type.value, truth.day, 1, 1)
            entry = SealedFile(
                name=str(name),
                layout=layout.id,
                encoding=party.encoding,
                bytes=len(data),
                rows=len(rows),
                sha256=sha256_hex(data),
                totals=control_totals(layout, rows),
                batches=1,
            )
            self.counts["rows"] += len(rows)
            fault = self.plan.files.get(key)
            if fault is not None:
                again = ExchangeName(party.party, file_type.value, truth.day, *((2, 1) if fault == "missing_file" else (1, 2)))
                waits_under = ExchangeName(party.party, "SEAL", truth.day, again.batch, again.version)
                self._resend.setdefault(waits_under, []).append((entry.model_copy(update={"name": str(again)}), data))
            if fault != "missing_file":
                sealed.append((entry, data) if fault is None else spoil_file(fault, layout, entry, data))
        self._write_sealed(folder, ExchangeName(party.party, "SEAL", truth.day, 1, 1), sealed)

    def _spoil_lines(self, layout: Layout, data: bytes, key: tuple[str, str, date]) -> bytes:
        edits = self.plan.lines.get(key, [])
        if not edits:
            return data
        lines = data.split(b"\n")
        for edit in edits:
            # No GB18030 character of our texts holds the delimiter's byte: "," is below 0x30.
            cells = lines[edit.line_no - 1].split(layout.delimiter.encode())
            cells[edit.cell] = edit.text
            lines[edit.line_no - 1] = layout.delimiter.encode().join(cells)
        return b"\n".join(lines)

    def _write_sealed(self, folder: Path, seal_name: ExchangeName, sealed: list[tuple[SealedFile, bytes]]) -> None:
        for entry, data in sealed:
            (folder / entry.name).write_bytes(data)
        seal = Seal(
            party=seal_name.party,
            custody_date=seal_name.custody_date.isoformat(),
            batch=seal_name.batch,
            version=seal_name.version,
            files=[entry for entry, _ in sealed],
        )
        (folder / str(seal_name)).write_bytes(seal.to_bytes())
        self.counts["files"] += len(sealed)

    def _write_core(self, folder: Path, truth: DayTruth) -> None:
        folder.mkdir()
        true_flows = [flow for platform in truth.platforms.values() for flow in platform.core_flows]
        flows, shift = apply_core_edits(true_flows, self.plan.core.get(truth.day, []))
        numbers: dict[str, int] = {}
        flow_lines = []
        for flow in flows:
            numbers[flow.account] = numbers.get(flow.account, 0) + 1
            flow_lines.append(
                {
                    "account": flow.account,
                    "custody_date": truth.day.isoformat(),
                    "seq": numbers[flow.account],
                    "amount_minor": flow.amount_minor,
                    "currency": CURRENCY,
                    "core_ref": flow.core_ref,
                    "counterparty": flow.counterparty,
                    "narrative": flow.narrative,
                    "booked_at": flow.booked_at.isoformat(),
                }
            )
        balance_lines = []
        for balance in (balance for platform in truth.platforms.values() for balance in platform.core_balances):
            before = self._core_shift.get(balance.account, 0)
            after = before + shift.get(balance.account, 0)
            self._core_shift[balance.account] = after
            balance_lines.append(
                {
                    "account": balance.account,
                    "custody_date": truth.day.isoformat(),
                    "opening_minor": balance.opening_minor + before,
                    "closing_minor": balance.closing_minor + after,
                    "currency": CURRENCY,
                }
            )
        _write_json_lines(folder / "flow.jsonl", flow_lines)
        _write_json_lines(folder / "balance.jsonl", balance_lines)
        self.counts["core_flows"] += len(flow_lines)


def spoil_file(fault: str, layout: Layout, entry: SealedFile, data: bytes) -> tuple[SealedFile, bytes]:
    """What arrives instead of a sound file and its seal entry."""
    if fault == "file_truncated":
        last_line = data.rstrip(b"\n").rfind(b"\n") + 1
        return entry, data[: last_line + (len(data) - last_line) // 2]
    if fault == "file_digest":
        place = max(data.rfind(b"%d" % digit) for digit in range(10))
        other = b"%d" % ((int(data[place : place + 1]) + 1) % 10)
        return entry, data[:place] + other + data[place + 1 :]
    if fault == "control_total":
        name = layout.totals[0]
        wrong = format_amount(parse_amount(entry.totals[name]) + 1)
        return entry.model_copy(update={"totals": entry.totals | {name: wrong}}), data
    if fault == "layout_version":
        return entry.model_copy(update={"layout": f"{layout.name}/9"}), data
    raise ValueError(f"unknown file fault {fault!r}")


def _write_json_lines(path: Path, lines: list[dict[str, object]]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
