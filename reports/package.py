"""What a recipient gets of a release: one ZIP file with the report's sealed files, what was decided, and of a correction what has changed.

The same release gives the same bytes. ``release.json`` says who released what, names each file with its digest, and what it replaces; the
report's own seal lies beside its files, as it was sealed, so that a third party checks them as they are.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

FORMAT = "report-release/1"
# The least that a ZIP file can say: bytes must not depend on when it is made.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def package_name(report_id: str, period: str, scope: str, release_no: int) -> str:
    """``custody_monthly_2019-12_r1.zip``, with the party before the number where it is about one."""
    return f"{'_'.join(part for part in (report_id, period, scope) if part)}_r{release_no}.zip"


def make_package(files: Mapping[str, bytes], release: Mapping[str, Any]) -> bytes:
    """``release``: what release.json says besides the files."""
    said = dict(release) | {
        "format": FORMAT,
        "files": [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in sorted(files.items())
        ],
    }
    whole = {**files, "release.json": (json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(whole.items()):
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), data, zipfile.ZIP_DEFLATED, 6)
    return out.getvalue()
