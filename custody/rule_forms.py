"""The forms of the rule book's entries: what each may say beside its id, dates, owner and source, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from custody.alert_rules import ALERT_FORMS, AlertCondition, read_alert_condition
from custody.cause_proofs import PROOFS
from custody.compliance_rules import NEEDS, Disclosure
from custody.declared import Declared
from custody.matching import PairRule
from custody.names import BreakKind, HoldKind, TxnStatus
from custody.risk_alerts import NEEDS as RISK_NEEDS


@dataclass(frozen=True)
class Sides:
    """What of a relation no rule can change: who stands on which side, and what is compared. ``money``: its amounts, each of
    which some rule must compare without excuse; ``other``: what pair rules may look at beside them. ``may_net``: rows of one key may
    be summed; where they name accounts they are compared one by one."""

    rule_id: str
    sides: str
    left: str
    right: str
    money: tuple[str, ...]
    other: tuple[str, ...]
    may_net: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return ("currency", *self.money, *self.other)


SIDES: Mapping[str, Sides] = MappingProxyType(
    {
        "AB_TXN": Sides(
            "ab_txn",
            "AB",
            "A",
            "B",
            ("amount_minor", "coupon_minor", "principal_minor", "interest_minor", "penalty_minor"),
            ("from_account", "to_account", "loan_id", "txn_type", "status", "item_date"),
        ),
        "BC_CORE": Sides("bc_core", "BC", "B", "C", ("amount_minor",), ("item_date",), may_net=True),
        "BC_CHANNEL": Sides("bc_channel", "BC", "B", "C", ("amount_minor", "fee_minor"), ("status", "item_date")),
        "BC_E_ACCOUNT": Sides(
            "bc_e_account", "BC", "B", "C", ("amount_minor",), ("from_account", "to_account", "txn_type", "status", "item_date")
        ),
    }
)
# What may excuse a difference: only time has a tolerance.
_EXCUSES = ("in_window",)
_LAGS = ("settle_date",)
_EXCUSED = ("item_date",)


@dataclass(frozen=True)
class RelationTerms:
    """The break kind of a row that stands alone, by the side where its counterpart is missing; and whether rows of one key are
    summed before they are compared (1:N, N:1, N:M)."""

    missing_left: BreakKind
    missing_right: BreakKind
    nets: bool


@dataclass(frozen=True)
class Window:
    """Minutes on either side of midnight UTC+8 within which an event's date may differ."""

    minutes: int


@dataclass(frozen=True)
class Steps:
    """(from this value on, weight), the greatest value first; below all of them the weight is 0."""

    steps: tuple[tuple[int, int], ...]

    def weight(self, value: int) -> int:
        """That of the greatest step that the value reaches."""
        for least, weight in self.steps:
            if value >= least:
                return weight
        return 0


@dataclass(frozen=True)
class Levels:
    """Bank business days for each severity."""

    business_days: Mapping[str, int]

    def of(self, level: str) -> int:
        return self.business_days[level]


@dataclass(frozen=True)
class AgeLimits:
    """Bank business days that something may wait, by what waits."""

    business_days: Mapping[str, int]


# What may wait, by the rule that says how long.
AGED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "hold_age": (HoldKind.WITHDRAW, HoldKind.TENDER, HoldKind.REPAY),
        "status_age": (TxnStatus.UNKNOWN, TxnStatus.REMITTING, TxnStatus.ACCEPTED),
    }
)


@dataclass(frozen=True)
class Figures:
    """The parameters of a rule whose reasoning is code, such as a probable cause."""

    figures: Mapping[str, int]


@dataclass(frozen=True)
class RedLine:
    """The parameters of a rule that money's path or stated use may break: whole numbers, and words that a stated use may not hold."""

    figures: Mapping[str, int]
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Citation:
    """The text that a rule of compliance follows from, and the place in it."""

    regulation: str
    article: str


@dataclass(frozen=True)
class ComplianceTerms:
    """The parameters of a detector (custody.compliance), how grave a finding is, and who may be told of it."""

    figures: Mapping[str, int]
    severity: str
    disclosure: Disclosure
    citation: Citation


@dataclass(frozen=True)
class Unseen:
    """A prohibition that no flow of money can show: listed, so that nobody takes silence for compliance."""

    citation: Citation


@dataclass(frozen=True)
class RiskFigures:
    """The parameters of a rule that the risk step judges (custody.risk_alerts.NEEDS)."""

    figures: Mapping[str, int]


@dataclass(frozen=True)
class Forecast:
    """How many bank business days ahead instalments are held against balances."""

    business_days: int


Condition: TypeAlias = (
    RelationTerms
    | PairRule
    | Window
    | Steps
    | Levels
    | AgeLimits
    | Figures
    | RedLine
    | ComplianceTerms
    | Unseen
    | AlertCondition
    | Forecast
    | RiskFigures
)
FORMS = (
    "relation",
    "pair",
    "window",
    "steps",
    "levels",
    "ages",
    "cause",
    "red_line",
    "compliance",
    "prohibition",
    *ALERT_FORMS,
    "forecast",
    "risk",
)
_SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


def read_condition(d: Declared) -> tuple[str, Condition, str | None]:
    """(form, what the entry says, its relation). Raises BadDeclaration."""
    form = d.one_of("form", FORMS)
    relation = d.one_of("relation", tuple(SIDES)) if form in ("relation", "pair") else None
    if form == "relation":
        assert relation is not None
        if d.need("rule", str) != SIDES[relation].rule_id:
            raise d.wrong(f"the terms of {relation} are rule {SIDES[relation].rule_id}; change that one")
        kinds = _kind(d, "missing_left"), _kind(d, "missing_right")
        nets = d.need("nets", bool)
        if nets and not SIDES[relation].may_net:
            raise d.wrong(
                "nets is true, but sums hide whose money it was: rows of this relation are compared one by one; write false"
            )
        return form, RelationTerms(*kinds, nets), relation
    if form == "pair":
        assert relation is not None
        return form, _pair(d, SIDES[relation]), relation
    if form == "window":
        return form, Window(_within(d, "minutes", 0, 720)), None
    if form == "steps":
        return form, _steps(d), None
    if form == "levels":
        levels = d.part("business_days")
        found = {level: _within(levels, level, 0, 250) for level in _SEVERITIES}
        levels.close()
        return form, Levels(MappingProxyType(found)), None
    if form == "ages":
        return form, _ages(d), None
    if form == "red_line":
        figures = _figures(d).figures if "figures" in d else MappingProxyType(dict[str, int]())
        return form, RedLine(figures, d.texts("terms", [])), None
    if form == "compliance":
        return form, _compliance(d), None
    if form == "prohibition":
        return form, Unseen(_citation(d)), None
    if form == "forecast":
        return form, Forecast(_within(d, "business_days", 1, 60)), None
    if form == "risk":
        return form, RiskFigures(_needed(d, RISK_NEEDS)), None
    if form in ALERT_FORMS:
        return form, read_alert_condition(form, d), None
    return form, _cause(d), None


def _ages(d: Declared) -> AgeLimits:
    rule_id = d.need("rule", str)
    if rule_id not in AGED:
        raise d.wrong(f"nothing waits by this rule; those that say how long are {', '.join(AGED)}")
    days = d.part("business_days")
    found = {str(kind): _within(days, kind, 0, 250) for kind in AGED[rule_id]}
    days.close()
    return AgeLimits(MappingProxyType(found))


def _needed(d: Declared, needs: Mapping[str, tuple[str, ...]]) -> Mapping[str, int]:
    """Exactly the figures that the code behind a rule needs."""
    rule_id = d.need("rule", str)
    if rule_id not in needs:
        raise d.wrong(f"nothing judges this rule; rules of this form are {', '.join(needs)}")
    found = _figures(d).figures if "figures" in d else MappingProxyType(dict[str, int]())
    if set(found) != set(needs[rule_id]):
        raise d.wrong(f"it needs the figures {', '.join(needs[rule_id])}; the entry names {', '.join(found) or 'none'}")
    return found


def _cause(d: Declared) -> Figures:
    """A probable cause that the program can prove, with the numbers that its proof needs."""
    rule_id = d.need("rule", str)
    if rule_id not in PROOFS:
        raise d.wrong(f"no such cause can be proved; the causes are {', '.join(PROOFS)}")
    needed = PROOFS[rule_id][1]
    found = _figures(d) if "figures" in d else Figures(MappingProxyType({}))
    if set(found.figures) != set(needed):
        raise d.wrong(
            f"its proof needs the figures {', '.join(needed) or 'none'}; the entry names {', '.join(found.figures) or 'none'}"
        )
    return found


def _compliance(d: Declared) -> ComplianceTerms:
    rule_id = d.need("rule", str)
    if rule_id not in NEEDS:
        raise d.wrong(f"no detector judges this rule; those that do are {', '.join(NEEDS)}")
    needed = NEEDS[rule_id].figures
    found = _figures(d).figures if "figures" in d else MappingProxyType(dict[str, int]())
    more = NEEDS[rule_id].more
    if set(found) not in (set(needed), {*needed, *more}):
        besides = f", or {', '.join(more)} besides" if more else ""
        raise d.wrong(
            f"its detector needs the figures {', '.join(needed) or 'none'}{besides}; the entry names {', '.join(found) or 'none'}"
        )
    disclosure = Disclosure(d.one_of("disclosure", tuple(Disclosure)))
    if disclosure.reach > NEEDS[rule_id].disclosure.reach:
        raise d.wrong(
            f"disclosure is {disclosure}; of what this rule shows {NEEDS[rule_id].disclosure} is the most that may be told"
        )
    return ComplianceTerms(found, d.one_of("severity", _SEVERITIES), disclosure, _citation(d))


def _citation(d: Declared) -> Citation:
    part = d.part("citation")
    found = Citation(part.need("regulation", str), str(part.need("article", object)))
    part.close()
    return found


def _pair(d: Declared, sides: Sides) -> PairRule:
    differs = d.texts("differs", [])
    swapped = d.texts("swapped", [])
    unless = d.one_of("unless", _EXCUSES) if "unless" in d else None
    until = d.one_of("until", _LAGS) if "until" in d else None
    for name in (*differs, *swapped):
        if name not in sides.columns:
            raise d.wrong(f"{name!r} is not compared; columns of this relation are {', '.join(sides.columns)}")
    if not differs and not swapped:
        raise d.wrong("differs or swapped must name columns, else the rule never speaks")
    if swapped and len(swapped) != 2:
        raise d.wrong(f"swapped names {len(swapped)} columns; it is two that stand exchanged")
    if (unless or until) and (swapped or not set(differs) <= set(_EXCUSED)):
        raise d.wrong(
            f"{'unless' if unless else 'until'} excuses {', '.join((*differs, *swapped))}: only time has a tolerance (differs: [item_date]); "
            "tolerance for customers' money is 0.00"
        )
    return PairRule(_kind(d, "kind"), differs, (swapped[0], swapped[1]) if swapped else None, unless, until)


def _kind(d: Declared, key: str) -> BreakKind:
    return BreakKind(d.one_of(key, tuple(BreakKind)))


def _within(d: Declared, key: str, least: int, most: int) -> int:
    found = d.need(key, int)
    if not least <= found <= most:
        raise d.wrong(f"{key} is {found}; write a whole number from {least} to {most}")
    return found


def _steps(d: Declared) -> Steps:
    found = []
    for step in d.parts("steps"):
        found.append((_within(step, "from", 0, 10**15), _within(step, "weight", 1, len(_SEVERITIES) - 1)))
        step.close()
    starts, weights = [least for least, _ in found], [weight for _, weight in found]
    if not found or starts != sorted(set(starts), reverse=True) or weights != sorted(weights, reverse=True):
        raise d.wrong("steps: list the greatest `from` first, its weight not below the next one's")
    return Steps(tuple(found))


def _figures(d: Declared) -> Figures:
    part = d.part("figures")
    found: dict[str, int] = {}
    for name, value in part.members():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise part.wrong(f"{name} is {value!r}; write a whole number from 0")
        found[name] = value
    return Figures(MappingProxyType(found))
