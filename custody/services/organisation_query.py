"""Organisations by what is asked of them: kind, status, layout, dialect, keys that end, files that are missing (domain.md §1, module 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from custody.file_life import MISSING
from custody.ports import RegisterTx
from custody.services.organisations import Party, parties
from custody.services.party_keys import keys


@dataclass(frozen=True)
class OrganisationQuery:
    """Each condition that is empty (or None) does not restrict. ``text``: part of id or name; ``layout``: of a layout's id;
    ``foreign``: whether some layout of the contract is another's; ``key_ends_days``: a key that works ends in so many days;
    ``missing``: has files that are called missing."""

    kind: str = ""
    status: str = ""
    text: str = ""
    layout: str = ""
    foreign: bool | None = None
    key_ends_days: int | None = None
    missing: bool = False


def find_organisations(tx: RegisterTx, wanted: OrganisationQuery, today: date) -> list[Party]:
    """As they are on ``today``, by id."""
    ending = {key.party for key in keys(tx) if wanted.key_ends_days is not None and key.ends_within(today, wanted.key_ends_days)}
    missing = missing_files(tx) if wanted.missing else {}
    return [
        of
        for of in parties(tx, today)
        if wanted.kind in ("", of.kind)
        and wanted.status in ("", of.status)
        and any(wanted.text.lower() in said.lower() for said in (of.party, of.name_en, of.name_zh))
        and any(wanted.layout in one for one in layout_ids(of) or [""])
        and wanted.foreign in (None, bool(of.contract["dialect"]))
        and (wanted.key_ends_days is None or of.party in ending)
        and (not wanted.missing or of.party in missing)
    ]


def layout_ids(of: Party) -> list[str]:
    """Every layout that its contract allows."""
    return sorted({one for ids in of.contract["layouts"].values() for one in ids})


def missing_files(tx: RegisterTx) -> Mapping[str, int]:
    """By party: how many promised files are called missing."""
    return {party: number for (party,), number in tx.count("expected_file", ["party"], state=MISSING).items()}
