"""The settings files that HBase and HDFS share the form of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape


def write_site(path: Path, properties: Mapping[str, object]) -> None:
    """``hbase-site.xml``, ``core-site.xml`` and their like."""
    lines = (f"<property><name>{name}</name><value>{escape(str(value))}</value></property>" for name, value in properties.items())
    path.write_text("\n".join(["<configuration>", *lines, "</configuration>", ""]), encoding="utf-8")
