"""What the newest sealed day and the register's files say around a customer, for a plan of his deletion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date

from connectors.lake import Lake
from custody.names import LoanState
from custody.ports import Register, Row
from custody.services.customer_ports import Words
from custody.services.outputs import Seal, days_begun, latest_seal
from schemas.layout import all_layouts

_ENDED = (LoanState.SETTLED, LoanState.MISCARRIED)
_ROLES_IN_A_LOAN = ("borrower", "guarantor", "payee")


class LakeSurroundings:
    """Implements custody.services.customer_ports.Surroundings."""

    def __init__(self, register: Register, lake: Lake) -> None:
        self._register, self._lake = register, lake

    def unfinished(self, account: str) -> list[Words]:
        post = self._newest("post")
        return [] if post is None else list(self._unfinished(post, account))

    def _unfinished(self, post: Seal, account: str) -> Iterator[Words]:
        rows = self._lake.rows
        platform, role, user_no = account.split(".")
        for row in rows(post.path, "pending_instructions"):
            payload = json.loads(row["payload"])
            sides = [(payload[f"{side}_role"], payload[f"{side}_user_no"]) for side in ("from", "to")]
            if payload["platform"] == platform and (role, user_no) in sides:
                yield f"request {payload['request_no']} waits to be posted", f"请求 {payload['request_no']} 待入账"
        for row in rows(post.path, "under_way"):
            if row["account"] == account:
                yield (
                    f"{row['txn_type']} {row['request_no']} is {row['status']}",
                    f"{row['txn_type']} {row['request_no']} 未到终态",
                )
        for row in rows(post.path, "legal_orders"):
            if row["account"] == account and row["used_minor"] < row["amount_minor"]:
                yield f"legal order {row['order_no']} is not carried out", f"司法协助 {row['order_no']} 未执行完毕"
        for row in rows(post.path, "loans"):
            if row["state"] not in _ENDED and account in [row[name] for name in _ROLES_IN_A_LOAN]:
                yield f"loan {row['loan_id']} is {row['state']}", f"标的 {row['loan_id']} 未结清"

    def decisions_taken_up(self) -> int:
        cut_off = self._newest("cut_off")
        if cut_off is None:
            return 0
        (instance,) = [r for r in self._lake.rows(cut_off.path, "reference") if r["kind"] == "instance"]
        return int(json.loads(instance["payload"])["decisions_up_to"])

    def days_begun(self) -> list[date]:
        with self._register.transaction() as tx:
            return days_begun(tx)

    def raw_files(self, names: Sequence[str], parties: Sequence[str], first: date, last: date) -> list[tuple[str, bool]]:
        with self._register.transaction() as tx:
            files = [f for f in tx.find("file", ("file_name", "sha256")) if f["archive_ref"] is not None]
        found = {f["file_name"]: True for f in files if f["file_name"] in names}
        for f in files:
            if f["party"] in parties and first <= f["custody_date"] <= last and _has_personal(f):
                found.setdefault(f["file_name"], False)
        return sorted(found.items())

    def _newest(self, step: str) -> Seal | None:
        with self._register.transaction() as tx:
            dates = [row["custody_date"] for row in tx.find("step_output", step=step)]
            return latest_seal(tx, max(dates), step) if dates else None


def _has_personal(file: Row) -> bool:
    """Of a layout with personal fields; of one that nobody knows, too. A seal has none."""
    layout = all_layouts().get(file["layout"])
    return file["file_type"] != "SEAL" and (layout is None or layout.is_personal)
