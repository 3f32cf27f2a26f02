"""What was found wrong, as values: a finding names the rule, the place, the value and the figures (models.md, habit 2)."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field

from custody.texts import text


@dataclass(frozen=True)
class RowFault:
    """A fault in one row of a file. ``value`` is already masked where the field is personal."""

    line_no: int
    field: str
    value: str
    rule: str
    figures: dict[str, object] = dataclass_field(default_factory=dict)

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)"""
        return text(self.rule, self.figures)


@dataclass(frozen=True)
class FileFault:
    """A fault of a whole file."""

    file_name: str
    rule: str
    figures: dict[str, object] = dataclass_field(default_factory=dict)

    @property
    def words(self) -> tuple[str, str]:
        return text(self.rule, self.figures)
