"""Filings against money laundering as they stand, for command line and page; that somebody looked is recorded (custody.services.aml_filings)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from connectors.bootstrap import Wiring
from custody.errors import UsageError
from custody.names import FileType
from custody.services.aml_filings import DUE, Filing, Standing, filings_of, look, standing, standings
from custody.services.outputs import latest_seal, newest_seals

# Whether a suspicion is to be reported at all, nobody has said before it is proposed.
UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class StandingFiling:
    filing: Filing
    stands: Standing

    @property
    def state(self) -> str:
        is_open = self.filing.file_type is FileType.SUSPICIOUS and self.stands.state == DUE
        return UNDECIDED if is_open else self.stands.state

    @property
    def is_changed(self) -> bool:
        """What was decided on is not what the newest date with it says now."""
        return self.stands.content not in ("", self.filing.content)


def standing_filings(wiring: Wiring, actor: str, first: date | None = None) -> list[StandingFiling]:
    """Every filing of the assessed dates from ``first`` on, by due date, as the newest date that has it says it. Raises NotPermitted."""
    look(wiring.register, actor)
    found: dict[str, Filing] = {}
    for one in _newest_first(wiring, first):
        found.setdefault(one.filing_no, one)
    with wiring.register.transaction() as tx:
        stands = standings(tx)
    ordered = sorted(found.values(), key=lambda one: (one.due_on, one.filing_no))
    return [StandingFiling(one, stands.get(one.filing_no, Standing(DUE))) for one in ordered]


def filing_named(wiring: Wiring, actor: str, filing_no: str) -> StandingFiling:
    """As the newest date that has it says it. Raises NotPermitted; UsageError where there is none."""
    look(wiring.register, actor)
    for one in _newest_first(wiring):
        if one.filing_no == filing_no:
            with wiring.register.transaction() as tx:
                return StandingFiling(one, standing(tx, filing_no))
    raise UsageError(f"no filing {filing_no[:40]!r}; see: custody compliance filing list / 无此报送")


def grounds_of(wiring: Wiring, filing: Filing) -> list[tuple[str, tuple[str, str]]]:
    """(rule, why in English and Chinese) of each finding that is filed. The file has the Chinese words alone, as its layout says."""
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, filing.on, "compliance")
    assert seal is not None  # it has rows of that date
    filed = {row["finding_id"] for row in filing.rows}
    found = (row for row in wiring.lake.rows(seal.path, "compliance_findings") if row["finding_id"] in filed)
    return sorted((row["rule"], (row["words_en"], row["words_zh"])) for row in found)


def _newest_first(wiring: Wiring, first: date | None = None) -> Iterator[Filing]:
    with wiring.register.transaction() as tx:
        seals = newest_seals(tx, "compliance")
    for seal in reversed(seals):
        if first is None or seal.custody_date >= first:
            yield from filings_of(seal.custody_date, seal.manifest_digest, wiring.lake.rows(seal.path, "filing_rows"))
