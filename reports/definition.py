"""Report definitions as data: one YAML file for each report under ``reports/definitions/``."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from custody.errors import SettingsError
from custody.names import TxnType

Unit = Literal["amount", "count"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Words(_Strict):
    """The same in English and Chinese."""

    en: Annotated[str, Field(min_length=1)]
    zh: Annotated[str, Field(min_length=1)]


class FigureDefinition(_Strict):
    """One figure: what it is called, what it means and which table it comes from."""

    id: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    unit: Unit
    name: Words
    meaning: Words
    source: Words


class TypeWords(Words):
    """A transaction type's name, and whether it counts as volume."""

    volume: bool


class ReportDefinition(_Strict):
    id: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    version: Annotated[int, Field(ge=1)]
    period: Literal["month"]
    title: Words
    audience: Words
    figures: list[FigureDefinition]
    transaction_types: dict[str, TypeWords]


def load_definition(report_id: str) -> ReportDefinition:
    """The definition of that id. Raises SettingsError when there is none, or when it contradicts itself."""
    known = {file.name.removesuffix(".yaml"): file for file in files("reports").joinpath("definitions").iterdir()}
    if report_id not in known:
        raise SettingsError(f"no report is called {report_id!r}; known: {', '.join(sorted(known))}")
    try:
        definition = ReportDefinition.model_validate(yaml.safe_load(known[report_id].read_text(encoding="utf-8")))
    except ValidationError as error:
        raise SettingsError(f"the definition of report {report_id} is wrong: {error}") from error
    ids = [figure.id for figure in definition.figures]
    if definition.id != report_id or len(set(ids)) != len(ids):
        raise SettingsError(f"the definition of report {report_id} has another id or names a figure twice")
    if set(definition.transaction_types) != set(TxnType):
        wrong = sorted(set(definition.transaction_types) ^ set(TxnType))
        raise SettingsError(f"report {report_id} must name every transaction type once; wrong or missing: {wrong}")
    return definition
