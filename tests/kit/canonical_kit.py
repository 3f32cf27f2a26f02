"""A whole file of a dialect as canonical rows: what landing reads block by block, for tests that look at all of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from schemas.content import Content
from schemas.landing import CanonicalReader
from schemas.layout import Layout
from schemas.layout_file import ParsedFile, RowReader


def canonical_file(
    layout: Layout, data: bytes, encoding: str, custody_date: date, party: str, dialect: Mapping[str, Any]
) -> ParsedFile:
    sent = RowReader(layout, "F", Content.of(data), encoding, custody_date)
    reader = CanonicalReader(layout, sent, custody_date, party, dialect)
    rows = [row for block in reader.blocks() for row in block]
    reader.rest.rows = rows
    return reader.rest
