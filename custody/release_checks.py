"""What is looked at before a report is released (domain.md §9): are its days and seals whole and the newest, do its totals agree with the
other reports of the same period, and what has changed since the period before by more than its terms allow.

Pure. A finding that can be explained is explained by the maker, in words that go out with the report; any other stops the release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from custody.money import format_amount

AMOUNT, SHARE = "amount", "share"
BANK, PLATFORM = "bank", "platform"


class Check(StrEnum):
    DAYS = "DAYS"
    SEALS = "SEALS"
    FILES = "FILES"
    TOTALS = "TOTALS"
    CHANGE = "CHANGE"


# What stands out without being wrong.
EXPLAINABLE = frozenset({Check.CHANGE})


@dataclass(frozen=True)
class ReleaseFinding:
    """One thing that a check says. ``subject``: what it is about, of which there is one finding for each check."""

    check: Check
    subject: str
    english: str
    chinese: str

    @property
    def explainable(self) -> bool:
        return self.check in EXPLAINABLE

    @property
    def key(self) -> str:
        return f"{self.check}|{self.subject}"


@dataclass(frozen=True)
class FigureValue:
    """``value``: minor units of the report's currency where ``unit`` is amount, ten-thousandths where it is share, else a number.
    ``additive``: the figures of parts add up to that of the whole; those of persons and shares do not."""

    unit: str
    value: int
    additive: bool = True

    def shown(self, currency: str = "CNY") -> str:
        """As people read it: major units, per cent, or the number."""
        if self.unit == SHARE:
            return f"{'-' if self.value < 0 else ''}{abs(self.value) // 100}.{abs(self.value) % 100:02d}%"
        return format_amount(self.value, currency) if self.unit == AMOUNT else str(self.value)


@dataclass(frozen=True, order=True)
class Fact:
    """Which figure, told apart by which columns and values; none of the whole bank."""

    figure: str
    by: tuple[tuple[str, str], ...] = ()

    @property
    def subject(self) -> str:
        """``P001/volume``, ``bank/volume``, ``channel=CH01,platform=P001/volume``."""
        if not self.by:
            return f"{BANK}/{self.figure}"
        if len(self.by) == 1 and self.by[0][0] == PLATFORM:
            return f"{self.by[0][1]}/{self.figure}"
        return f"{','.join(f'{name}={value}' for name, value in self.by)}/{self.figure}"


Facts = Mapping[Fact, FigureValue]


@dataclass(frozen=True)
class ChangeTerms:
    """A figure that differs from the period before by more than ``percent`` of it and by more than the least (minor units, a number,
    ten-thousandths) needs an explanation. Looked at are the whole bank and each platform."""

    percent: int
    least_minor: int
    least_count: int
    least_share: int

    def is_beyond(self, before: FigureValue, now: FigureValue) -> bool:
        """Whether a figure moved by so much that its maker says why."""
        moved = abs(now.value - before.value)
        if now.unit == SHARE:
            return moved > self.least_share
        least = self.least_minor if now.unit == AMOUNT else self.least_count
        return moved > least and moved * 100 > self.percent * abs(before.value)


@dataclass(frozen=True)
class SealedInput:
    """A step's output that the report was made from, as its seal says."""

    custody_date: date
    step: str
    version: int
    manifest_digest: str


def day_findings(first: date, last: date, read: Mapping[str, frozenset[date]], closed: Iterable[date]) -> list[ReleaseFinding]:
    """Of a period's days from the instance's first one on: each is closed, and among the report's inputs of each step that it reads day
    by day (``read``: of which days)."""
    wanted = [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
    have = {f"is not among its inputs of {step}": (f"未列入 {step} 的输入", days) for step, days in sorted(read.items())}
    found = []
    for what, (chinese, days) in {**have, "is not closed": ("尚未关账", frozenset(closed))}.items():
        lacking = [on for on in wanted if on not in days]
        if lacking:
            named = _some([on.isoformat() for on in lacking])
            found.append(ReleaseFinding(Check.DAYS, what, f"{named}: {what}", f"{named}：{chinese}"))
    return found


def seal_findings(inputs: Sequence[SealedInput], newest: Mapping[tuple[date, str], tuple[int, str]]) -> list[ReleaseFinding]:
    """Of each input: the version that was read is still the newest, and the register names the same digest for it."""
    found = []
    for one in inputs:
        version, digest = newest.get((one.custody_date, one.step), (0, ""))
        subject = f"{one.custody_date} {one.step}"
        if (version, digest) == (one.version, one.manifest_digest):
            continue
        if version > one.version:
            words = (
                f"{subject} has version {version} since; the report was made from version {one.version}: draft it again",
                f"{subject} 已有第 {version} 版，报表依据第 {one.version} 版，须重新编制",
            )
        else:
            words = (
                f"{subject} version {one.version} is not in the register with digest {one.manifest_digest[:16]}",
                f"登记簿中无 {subject} 第 {one.version} 版（摘要 {one.manifest_digest[:16]}）",
            )
        found.append(ReleaseFinding(Check.SEALS, subject, *words))
    return found


def total_findings(name: str, facts: Facts, others: Mapping[str, Facts]) -> list[ReleaseFinding]:
    """A figure that two reports of one period state is the same in both; and what the platforms' figures add up to is the whole
    bank's, within one report and over them all. ``others``: by report."""
    found = []
    for other, theirs in sorted(others.items()):
        for fact, ours in sorted(facts.items()):
            said = theirs.get(fact)
            if said is not None and said.value != ours.value:
                found.append(_disagree(fact, (name, ours), (other, said)))
    everywhere: dict[Fact, tuple[str, FigureValue]] = {}
    for report, theirs in [*sorted(others.items()), (name, facts)]:
        everywhere |= {fact: (report, value) for fact, value in theirs.items()}
    sums: dict[str, int] = {}
    for fact, (_, value) in everywhere.items():
        if [column for column, _ in fact.by] == [PLATFORM] and value.additive:
            sums[fact.figure] = sums.get(fact.figure, 0) + value.value
    for figure, total in sorted(sums.items()):
        whole = everywhere.get(Fact(figure))
        if whole is not None and whole[1].value != total and any(fact.figure == figure for fact in facts):
            summed = FigureValue(whole[1].unit, total)
            found.append(_disagree(Fact(figure), ("the platforms together", summed), whole))
    return found


def _disagree(fact: Fact, one: tuple[str, FigureValue], other: tuple[str, FigureValue]) -> ReleaseFinding:
    (where, value), (elsewhere, said) = one, other
    return ReleaseFinding(
        Check.TOTALS, f"{elsewhere}|{fact.subject}",
        f"{fact.subject} is {value.shown()} by {where} and {said.shown()} by {elsewhere}",
        f"{fact.subject}：{where} 为 {value.shown()}，{elsewhere} 为 {said.shown()}",
    )  # fmt: skip


def change_findings(before: Facts, facts: Facts, terms: ChangeTerms, earlier: str) -> list[ReleaseFinding]:
    """What moved since the period ``earlier`` by more than the terms allow; a figure that one of the two lacks counts as 0 there."""
    found = []
    for fact in sorted(set(before) | set(facts)):
        if not {column for column, _ in fact.by} <= {PLATFORM}:
            continue
        unit = (facts.get(fact) or before[fact]).unit
        was, now = (side.get(fact, FigureValue(unit, 0)) for side in (before, facts))
        if terms.is_beyond(was, now):
            percent = f"{abs(now.value - was.value) * 100 // abs(was.value)}%" if was.value and unit != SHARE else "–"
            found.append(
                ReleaseFinding(
                    Check.CHANGE, fact.subject,
                    f"{fact.subject} was {was.shown()} in {earlier} and is {now.shown()} now (moved {percent}, beyond {terms.percent}%)",
                    f"{fact.subject}：{earlier} 为 {was.shown()}，本期 {now.shown()}（变动 {percent}，超过 {terms.percent}%）",
                )
            )  # fmt: skip
    return found


def unexplained(findings: Iterable[ReleaseFinding], explanations: Mapping[str, str]) -> list[ReleaseFinding]:
    """Those that stand in the way: what no explanation can help, and what has none. An explanation is given under a finding's subject,
    or under a platform (``bank`` for the whole) for all that stands out of it."""
    return [one for one in findings if not (one.explainable and explained(one, explanations))]


def explained(finding: ReleaseFinding, explanations: Mapping[str, str]) -> str:
    """The words that explain it, or ""."""
    return explanations.get(finding.subject, "") or explanations.get(finding.subject.partition("/")[0], "")


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" … ({len(names)})" if len(names) > most else "")
