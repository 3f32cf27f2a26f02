"""How a report's files are called: ``ID_PERIOD[_PARTY]_vVERSION.xlsx`` and its companions; the name leads back to the report."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(?P<report>[a-z][a-z0-9_]*?)_(?P<period>20[0-9]{2}(?:-[0-9Q][0-9-]*)?)(?:_(?P<party>[A-Z][A-Z0-9]*))?_v(?P<version>[0-9]+)(?P<rest>[._].*)",
    re.ASCII,
)


@dataclass(frozen=True)
class ReportName:
    """``party`` "" where it is the whole bank's."""

    report: str
    period: str
    party: str
    version: int

    @property
    def stem(self) -> str:
        return f"{self.report}_{self.period}{f'_{self.party}' if self.party else ''}_v{self.version}"

    def file(self, ending: str) -> str:
        """``ending``: .xlsx, .csv, _TABLE.csv, _dictionary.csv, _zh.pdf, _en.pdf or _seal.json."""
        return f"{self.stem}{ending}"


def parse_name(file_name: str) -> ReportName | None:
    """None for what is no report's file."""
    found = _NAME.fullmatch(file_name)
    return ReportName(found["report"], found["period"], found["party"] or "", int(found["version"])) if found else None
