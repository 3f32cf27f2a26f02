"""The drafts that a report step's output holds, read from the seals beside their files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date

from custody.errors import SealBroken
from custody.release_checks import SealedInput
from custody.services.outputs import Seal
from custody.services.releases import Draft, ReportKey
from reports.naming import parse_name
from reports.periods import parse_period

_SEAL = "_seal.json"


def drafts_of(of: Seal, names: Iterable[str], read: Callable[[str], bytes]) -> list[Draft]:
    """By name. ``read`` gives one of the output's files. Raises SealBroken for a seal that does not say what its name says."""
    found = []
    for name in sorted(names):
        if not name.endswith(_SEAL):
            continue
        data = read(name)
        said, told = json.loads(data), parse_name(name)
        if told is None or (told.report, told.period) != (said["report_id"], said["period"]):
            raise SealBroken(f"{of.path}/files/{name} is not the seal of the report that its name names")
        files = {one["name"]: (one["bytes"], one["sha256"]) for one in said["files"]}
        inputs = [
            SealedInput(date.fromisoformat(i["custody_date"]), i["step"], i["version"], i["manifest_digest"])
            for i in said["inputs"]
        ]
        key, last = ReportKey(told.report, told.period, told.party), parse_period(told.period).last
        found.append(Draft(key, last, of.custody_date, of.version, of.manifest_digest, of.path, name, files, inputs))
    return found
