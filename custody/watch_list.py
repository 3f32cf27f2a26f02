"""Watch lists: whom the bank may not serve unseen, by identity alone, and the hold on their money (domain.md §8). A list is a dated file
that two people let in.

Numbers are turned into customer ids as the file is read: neither proposal nor lake ever holds one in clear. Whoever stands on a list is
held from the custody date whose cut-off sealed it, whether he has accounts already or opens one later, until two people release him;
turned into a report, he stays held until then. What that does to his money says custody.aml_holds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from custody.compliance import Behind, Finding, Source
from custody.customer_decisions import resolve
from custody.declared import BadDeclaration, Declared
from custody.ports import Row

KIND = "watch_list"
# What two people decide of one hold; its subject is the hold's number, so that the decision itself names nobody.
HOLD = "aml_hold"
MOST_ENTRIES = 100_000


class HoldState(StrEnum):
    """REPORTED: it was turned into a suspicious transaction report; the money stays held."""

    HELD = "HELD"
    REPORTED = "REPORTED"
    RELEASED = "RELEASED"


HOLD_WORDS = {
    HoldState.HELD: ("held", "已止付"),
    HoldState.REPORTED: ("held and reported", "已止付并上报"),
    HoldState.RELEASED: ("released", "已解除"),
}


def read_list(raw: object, where: str, identity: Callable[[str, str], str]) -> dict[str, Any]:
    """What a file says, as a proposal holds it. ``identity``: customer id of (id type, number). Raises BadDeclaration naming the entry."""
    d = Declared(raw, where)
    name, since = d.need("list", str), d.need("valid_from", object)
    if not name.replace("-", "").isalnum() or not name.isascii() or len(name) > 40:
        raise d.wrong(f"list is {name!r}; name it by letters, digits and -, which stay the same from version to version")
    try:
        valid_from = since if isinstance(since, date) else date.fromisoformat(str(since))
    except ValueError:
        raise d.wrong(f"valid_from is {since!r}; write a date YYYY-MM-DD") from None
    source, entries = d.need("source", str), {}
    for part in d.parts("entries"):
        entry, id_type, id_no = (part.need(key, str) for key in ("entry", "id_type", "id_no"))
        part.close()
        if entry in entries:
            raise part.wrong(f"entry {entry} stands twice; number entries as the list's publisher does")
        entries[entry] = identity(id_type, id_no)
    d.close()
    if len(entries) > MOST_ENTRIES:
        raise BadDeclaration(f"{where}: {len(entries)} entries; a list has {MOST_ENTRIES} at most: split it under several names")
    return {"list": name, "valid_from": valid_from.isoformat(), "source": source, "entries": sorted(map(list, entries.items()))}


def carried(before: Iterable[Row], decisions: Iterable[Row], today: date, aliases: Mapping[str, str]) -> list[Row]:
    """Yesterday's entries with what today's cut-off sealed, in the order in which it was decided: a list takes the place of all that
    was known under its name, of whoever stands in it still as before what was decided of him; a hold becomes what two people said.
    ``aliases``: customer id -> the id that it became."""
    of: dict[str, list[Row]] = defaultdict(list)
    for row in before:
        of[row["list"]].append(dict(row))
    approved = (row for row in decisions if row["outcome"] == "APPROVED" and row["kind"] in (KIND, HOLD))
    for decision in sorted(approved, key=lambda row: int(row["decision_no"])):
        said = json.loads(decision["payload"])
        if decision["kind"] == KIND:
            stood = {(row["entry"], row["customer_id"]): row for row in of[said["list"]]}
            since = date.fromisoformat(said["valid_from"])
            fresh = {"valid_from": since, "held_from": max(since, today), "state": str(HoldState.HELD), "decided_by": None}
            of[said["list"]] = [
                stood.get((entry, customer), fresh) | {"list": said["list"], "entry": entry, "customer_id": customer}
                for entry, customer in said["entries"]
            ]
        else:
            for row in (row for rows in of.values() for row in rows if row.get("hold_id") == decision["subject"]):
                # Who was released is not held again by a report that was proposed before.
                if row["state"] != HoldState.RELEASED:
                    row |= {"state": said["outcome"], "decided_by": decision["proposal_id"]}
    return [row | {"hold_id": _hold_id(row, aliases)} for name in sorted(of) for row in of[name]]


def held(watched: Iterable[Row], today: date, aliases: Mapping[str, str]) -> frozenset[str]:
    """The customers whose money may not leave today, by their present ids."""
    return frozenset(resolve(aliases, row["customer_id"]) for row in watched if _holds(row, today))


def _holds(row: Row, today: date) -> bool:
    return bool(row["state"] != HoldState.RELEASED and row["held_from"] <= today)


def _hold_id(row: Row, aliases: Mapping[str, str]) -> str:
    """The number of the finding that tells of it."""
    return _hit(row, resolve(aliases, row["customer_id"]), 0, {}, ()).finding_id


def _hit(row: Row, customer: str, total: int, said: Mapping[str, int | str], behind: tuple[Behind, ...]) -> Finding:
    return Finding("watch_list", "", customer, f"{row['list']}|{row['entry']}", total, said, behind)


def hits(watched: Iterable[Row], accounts: Iterable[Row], today: date) -> Iterator[Finding]:
    """``watched``: as ``carried`` gives it, by present customer ids; ``accounts``: open ones of those who are watched: platform,
    sub_account, customer_id, opened_on, held_minor (available and frozen)."""
    of: dict[str, list[Row]] = defaultdict(list)
    for row in accounts:
        of[row["customer_id"]].append(row)
    for one in sorted(watched, key=lambda row: (row["list"], row["entry"])):
        held_here = sorted(of.get(one["customer_id"], ()), key=lambda row: str(row["sub_account"]))
        if not held_here or not _holds(one, today):
            continue
        total = sum(row["held_minor"] for row in held_here)
        platforms = len({row["platform"] for row in held_here})
        state, state_zh = HOLD_WORDS[HoldState(one["state"])]
        said = {"list": one["list"], "entry": one["entry"], "platforms": platforms, "held_minor": total}
        said |= {"state": state, "state_zh": state_zh, "since": one["held_from"].isoformat()}
        rows = tuple(Behind(Source.ACCOUNT, r["platform"], r["sub_account"], r["opened_on"], r["held_minor"]) for r in held_here)
        yield _hit(one, one["customer_id"], total, said, rows)
