"""Watch lists: whom the bank may not serve unseen, by identity alone (domain.md §8). A list is a dated file that two people let in.

Numbers are turned into customer ids as the file is read: neither proposal nor lake ever holds one in clear.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from custody.compliance import Behind, Finding, Source
from custody.declared import BadDeclaration, Declared
from custody.ports import Row

KIND = "watch_list"
MOST_ENTRIES = 100_000


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


def carried(before: Iterable[Row], decided: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Yesterday's entries with the lists that today's cut-off sealed, in the order in which they were decided: a list takes the
    place of all that was known under its name."""
    of: dict[str, list[Row]] = defaultdict(list)
    for row in before:
        of[row["list"]].append(dict(row))
    for said in decided:
        since = date.fromisoformat(said["valid_from"])
        of[said["list"]] = [
            {"list": said["list"], "entry": entry, "customer_id": customer, "valid_from": since}
            for entry, customer in said["entries"]
        ]
    return [row for name in sorted(of) for row in of[name]]


def hits(watched: Iterable[Row], accounts: Iterable[Row], today: date) -> Iterator[Finding]:
    """``watched``: as ``carried`` gives it; ``accounts``: open ones of those who are watched: platform, sub_account, customer_id, opened_on,
    held_minor (available and frozen)."""
    of: dict[str, list[Row]] = defaultdict(list)
    for row in accounts:
        of[row["customer_id"]].append(row)
    for one in sorted(watched, key=lambda row: (row["list"], row["entry"])):
        held = sorted(of.get(one["customer_id"], ()), key=lambda row: str(row["sub_account"]))
        if one["valid_from"] > today or not held:
            continue
        total = sum(row["held_minor"] for row in held)
        platforms = len({row["platform"] for row in held})
        said = {"list": one["list"], "entry": one["entry"], "platforms": platforms, "held_minor": total}
        rows = tuple(Behind(Source.ACCOUNT, r["platform"], r["sub_account"], r["opened_on"], r["held_minor"]) for r in held)
        yield Finding("watch_list", "", one["customer_id"], f"{one['list']}|{one['entry']}", total, said, rows)
