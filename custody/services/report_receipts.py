"""Receipts of released reports, as their recipients put them into the drop (domain.md §9): each file is taken, archived, recorded in one
register transaction, and only then removed.

A run that dies anywhere is repaired by the next one: what was taken still lies aside, and recording the same receipt again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from datetime import date

from custody.errors import BusyElsewhere, RetryLater
from custody.names import PartyKind
from custody.ports import RegisterTx
from custody.services.access import check_permission, permitted_transaction
from custody.services.organisations import parties
from custody.services.outbound import RECEIPT_MARK, ExchangePorts
from custody.services.releases import Receipt, take_receipt

_ACTION = "report.send"


def collect_receipts(
    ports: ExchangePorts, actor: str, on: date, suffix: str, max_bytes: int, parse: Callable[[bytes], Receipt | str]
) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    """(party, file, what became of it) of each receipt taken, and (party, why) of each party whose folder gave trouble, which the next
    run tries again. ``suffix``: how the name of a receipt ends. Raises NotPermitted."""
    check_permission(ports.register, actor, _ACTION, "receipts")
    with ports.register.transaction() as tx:
        whom = _answering(tx)
    hosts = set(ports.drop.dialled())
    reachable = hosts | set(ports.drop.parties()) if whom else set()
    taken: list[tuple[str, str, str]] = []
    troubles: list[tuple[str, str]] = []
    for party in whom:
        if party not in reachable:
            continue
        try:
            with ports.archive.collecting(party):
                taken += [(party, name, became) for name, became in _of_party(ports, actor, on, party, suffix, max_bytes, parse)]
        except BusyElsewhere:
            continue  # another process is at it
        except RetryLater as trouble:
            troubles.append((party, str(trouble)))
    return taken, troubles


def _answering(tx: RegisterTx) -> list[str]:
    """Who may have something to say: reporting platforms, and parties that got a report."""
    got = {row["party"] for row in tx.find("report_delivery")}
    return sorted(got | {one.party for one in parties(tx) if one.kind == PartyKind.REPORTING})


def _of_party(
    ports: ExchangePorts, actor: str, on: date, party: str, suffix: str, max_bytes: int, parse: Callable[[bytes], Receipt | str]
) -> list[tuple[str, str]]:
    inbox = ports.drop.inbox(party)
    aside = [(one.mark, one.name) for one in inbox.taken if one.name.endswith(suffix)]
    mark = f"{ports.clock.now():%Y%m%dT%H%M%S%f}{RECEIPT_MARK}"
    names = {name for _, name in aside}
    # What lies aside is of an earlier run; a newer file of the same name waits for the next one.
    fresh = [name for name in sorted(inbox.waiting) if name.endswith(suffix) and name not in names]
    found = []
    for of, name in [*aside, *((mark, name) for name in fresh if ports.drop.take(party, name, mark))]:
        data = bytearray()
        with closing(ports.drop.pieces(party, name, of, 0)) as pieces:
            for piece in pieces:
                data += piece
                if len(data) > max_bytes:
                    break
        whole = bytes(data)
        sha256 = hashlib.sha256(whole).hexdigest()
        reference = ports.archive.keep(whole, sha256)
        with permitted_transaction(ports.register, actor, _ACTION, name) as tx:
            became = take_receipt(tx, actor, on, party, parse(whole), name, sha256, reference)
        ports.drop.remove(party, name, of)
        found.append((name, became))
    return found
