"""Small layouts for tests, declared as any other: what a test says goes over what every declaration needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from schemas.layout import Layout, load_declaration

TITLE = {"en": "x", "zh": "示例"}


def field(name: str, kind: str = "text", **keys: Any) -> dict[str, Any]:
    """A field's declaration; a text may have 20 characters, a code any."""
    usual = {"text": {"max": 20}, "code": {"pattern": ".*"}, "amount": {"negative": True}}.get(kind, {})
    required = {} if kind == "reserved" else {"required": False}
    return {"name": name, "type": kind, "title": TITLE, **required, **usual, **keys}


def declaration(*fields: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """A delimited layout, or a fixed-width one where ``record_length`` is given."""
    usual: dict[str, Any] = {
        "layout": "sample", "version": 1, "file_type": "SAMPLE", "sender": "bank", "encodings": ["utf-8", "gb18030"],
        "title": TITLE, "key": [], "repeated_key": "reject", "totals": [], "fields": list(fields),
    }  # fmt: skip
    form = {"format": "fixed_width"} if "record_length" in keys else {"format": "delimited", "delimiter": ",", "header": False}
    return {**usual, **form, **keys}


def declare(folder: Path, *fields: dict[str, Any], **keys: Any) -> Layout:
    return load(folder, declaration(*fields, **keys))


def load(folder: Path, raw: object) -> Layout:
    path = folder / "sample_v1.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return load_declaration(path)
