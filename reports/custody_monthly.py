"""The monthly custody report (domain.md §9) of all platforms: figures in, a tree of sheets and tidy facts out."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from custody.errors import UsageError
from custody.names import TxnType
from reports.definition import ReportDefinition
from reports.figures import PlatformFigures, TypeVolume
from reports.model import Amount, Cell, Chart, Column, Count, Fact, Report, Sheet, Text

_PERIOD = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


def build(
    definition: ReportDefinition,
    period: str,
    platforms: Iterable[PlatformFigures],
    seals: Iterable[Mapping[str, str | int]],
    bank_name: str,
) -> Report:
    """The report of ``period`` ("2019-12"). Platforms and seals may come in any order: the report sorts them.

    ``seals`` are those of the steps that the figures were taken from, each {custody_date (ISO text), step, version,
    manifest_digest}; the cover says which days of the period they cover. Raises UsageError for a malformed period, no
    platform, no seal, a platform named twice, two currencies, or a transaction type named twice or unknown.
    """
    as_of = _last_day(period)
    figures = sorted(platforms, key=lambda f: f.platform)
    ordered_seals = sorted((dict(seal) for seal in seals), key=lambda s: (s["custody_date"], s["step"], s["version"]))
    if not figures or not ordered_seals:
        raise UsageError("a custody report needs at least one platform and the seals of its inputs")
    if len({f.platform for f in figures}) != len(figures):
        raise UsageError("a platform stands twice in the figures")
    if len({f.currency for f in figures}) != 1:
        raise UsageError("a custody report is of one currency; make one for each")
    for one in figures:
        _check_types(one)
    # A type that occurs at any platform is shown for all, so that the table has no holes; one that occurs nowhere is not.
    types = [t for t in TxnType if any(v.txn_type == t for f in figures for v in f.volumes)]
    facts = tuple(fact for one in figures for fact in _facts(definition, one, types))
    sheets = (
        _cover(definition, period, as_of, figures, ordered_seals, bank_name),
        _platforms(definition, figures, facts),
        _by_type(definition, figures, types),
        _by_platform_and_type(definition, figures, types),
        _meanings(definition),
    )
    return Report(definition, period, as_of, figures[0].currency, bank_name, sheets, facts, tuple(ordered_seals))


def file_names(report: Report) -> dict[str, str]:
    """The released files' names by kind: xlsx, csv (tidy figures), dictionary (what they mean), seal."""
    stem = f"{report.definition.id}_{report.period}_v{report.definition.version}"
    return {
        "xlsx": f"{stem}.xlsx",
        "csv": f"{stem}.csv",
        "dictionary": f"{stem}_dictionary.csv",
        "seal": f"{stem}_seal.json",
    }


def _facts(definition: ReportDefinition, figures: PlatformFigures, types: Sequence[TxnType]) -> list[Fact]:
    volumes = {v.txn_type: v for v in figures.volumes}
    counted = [v for v in figures.volumes if definition.transaction_types[v.txn_type].volume]
    values = {
        "volume": sum(v.volume_minor for v in counted),
        "count": sum(v.count for v in counted),
        "loan_balance": figures.loan_balance_minor,
        "custody_customers": figures.custody_customers_minor,
        "p_income": figures.p_income_minor,
        "p_marketing": figures.p_marketing_minor,
        "p_compensation": figures.p_compensation_minor,
        "p_advance": figures.p_advance_minor,
        "suspense": figures.suspense_minor,
        "borrowers": figures.borrowers,
        "lenders": figures.lenders,
        "accounts_opened": figures.accounts_opened,
        "accounts_closed": figures.accounts_closed,
        "open_breaks": figures.open_breaks,
    }
    found = [
        Fact(figures.platform, d.id, d.name.en, d.name.zh, d.unit, values[d.id])  # KeyError: a figure nobody computes
        for d in definition.figures
    ]
    for txn_type in types:
        words = definition.transaction_types[txn_type]
        of_type = volumes.get(txn_type, TypeVolume(txn_type, 0, 0))
        volume_en, volume_zh = f"Volume: {words.en}", f"金额：{words.zh}"
        found.append(Fact(figures.platform, f"volume.{txn_type}", volume_en, volume_zh, "amount", of_type.volume_minor))
        count_en, count_zh = f"Count: {words.en}", f"笔数：{words.zh}"
        found.append(Fact(figures.platform, f"count.{txn_type}", count_en, count_zh, "count", of_type.count))
    return found


def _cover(
    definition: ReportDefinition,
    period: str,
    as_of: date,
    figures: Sequence[PlatformFigures],
    seals: Sequence[Mapping[str, str | int]],
    bank_name: str,
) -> Sheet:
    covered = sorted({str(seal["custody_date"]) for seal in seals if str(seal["custody_date"]).startswith(f"{period}-")})
    days = f"{len(covered)} / {as_of.day}" + (f" ({covered[0]} … {covered[-1]})" if covered else "")
    lines = [
        ("Report / 报告", f"{definition.title.en} / {definition.title.zh}"),
        ("Custodian bank / 存管银行", bank_name),
        ("Period / 报告期", period),
        ("As of / 截止日", as_of.isoformat()),
        ("Days covered by the inputs / 覆盖天数", days),
        ("Platforms / 平台数", str(len(figures))),
        ("Currency, unit / 币种与单位", f"{figures[0].currency}, major unit / 主币单位（元）"),
        ("Audience / 报送对象", f"{definition.audience.en} / {definition.audience.zh}"),
        ("Definition / 口径版本", f"{definition.id} v{definition.version}"),
    ]
    return Sheet(
        name="Cover 封面",
        preface=(*((Text(left), Text(right)) for left, right in lines), (Text("Sealed inputs / 输入数据封签"),)),
        columns=(
            Column("Custody date", "账务日期", 34),
            Column("Step", "步骤", 16),
            Column("Version", "版本", 10),
            Column("Manifest SHA-256", "清单摘要", 68),
        ),
        rows=tuple(
            (
                Text(str(seal["custody_date"])),
                Text(str(seal["step"])),
                Count(int(seal["version"])),
                Text(str(seal["manifest_digest"])),
            )
            for seal in seals
        ),
        frozen=False,
    )


def _platforms(definition: ReportDefinition, figures: Sequence[PlatformFigures], facts: Sequence[Fact]) -> Sheet:
    values = {(fact.platform, fact.figure_id): fact for fact in facts}
    rows: list[tuple[Cell, ...]] = []
    for one in figures:
        row = [_number(values[one.platform, d.id]) for d in definition.figures]
        rows.append((Text(one.platform), Text(one.name), *row))
    return Sheet(
        name="Platforms 平台",
        preface=(
            (Text(f"{definition.title.en} / {definition.title.zh}"),),
            (Text("A person at several platforms counts once at each / 同一人在多家平台的，各平台分别计数"),),
        ),
        columns=(
            Column("Platform", "平台编号", 12),
            Column("Name", "平台名称", 24),
            *(Column(d.name.en, d.name.zh, 20 if d.unit == "amount" else 14, total=True) for d in definition.figures),
        ),
        rows=tuple(rows),
    )


def _by_type(definition: ReportDefinition, figures: Sequence[PlatformFigures], types: Sequence[TxnType]) -> Sheet:
    rows: list[tuple[Cell, ...]] = []
    for txn_type in types:
        words = definition.transaction_types[txn_type]
        of_type = [v for f in figures for v in f.volumes if v.txn_type == txn_type]
        counts = "yes 是" if words.volume else "no 否"
        count, volume = Count(sum(v.count for v in of_type)), Amount(sum(v.volume_minor for v in of_type))
        rows.append((Text(f"{words.en} {words.zh}"), Text(txn_type), Text(counts), count, volume))
    return Sheet(
        name="By type 分类交易",
        # No total: a loan's tender is frozen, settled and repaid, and a sum over the types would count its money thrice.
        preface=((Text("All platforms by transaction type / 全部平台分类交易"),),),
        columns=(
            Column("Type", "交易类型", 30),
            Column("Code", "代码", 26),
            Column("Counts as volume", "计入交易规模", 16),
            Column("Count", "笔数", 14),
            Column("Volume", "金额", 20),
        ),
        rows=tuple(rows),
        chart=Chart("Volume by type / 分类交易金额", label_column=0, value_column=4) if rows else None,
    )


def _by_platform_and_type(definition: ReportDefinition, figures: Sequence[PlatformFigures], types: Sequence[TxnType]) -> Sheet:
    rows: list[tuple[Cell, ...]] = []
    for one in figures:
        volumes = {v.txn_type: v for v in one.volumes}
        for txn_type in types:
            words = definition.transaction_types[txn_type]
            of_type = volumes.get(txn_type, TypeVolume(txn_type, 0, 0))
            names = Text(one.platform), Text(one.name), Text(f"{words.en} {words.zh}"), Text(txn_type)
            rows.append((*names, Count(of_type.count), Amount(of_type.volume_minor)))
    return Sheet(
        name="By platform and type 平台分类",
        preface=((Text("Each platform by transaction type / 各平台分类交易"),),),
        columns=(
            Column("Platform", "平台编号", 12),
            Column("Name", "平台名称", 24),
            Column("Type", "交易类型", 30),
            Column("Code", "代码", 26),
            Column("Count", "笔数", 14),
            Column("Volume", "金额", 20),
        ),
        rows=tuple(rows),
    )


def _meanings(definition: ReportDefinition) -> Sheet:
    return Sheet(
        name="Meaning 口径",
        preface=((Text("What each figure means and where it comes from / 指标口径与来源"),),),
        columns=(
            Column("Figure", "指标", 34),
            Column("Chinese name", "中文名称", 26),
            Column("Meaning", "含义（英文）", 60),
            Column("Meaning in Chinese", "含义", 50),
            Column("Source", "来源（英文）", 44),
            Column("Source in Chinese", "来源", 40),
        ),
        rows=tuple(
            tuple(Text(t) for t in (d.name.en, d.name.zh, d.meaning.en, d.meaning.zh, d.source.en, d.source.zh))
            for d in definition.figures
        ),
    )


def _number(fact: Fact) -> Cell:
    return Amount(fact.value) if fact.unit == "amount" else Count(fact.value)


def _check_types(figures: PlatformFigures) -> None:
    names = [v.txn_type for v in figures.volumes]
    unknown = sorted(set(names) - set(TxnType))
    if unknown or len(set(names)) != len(names):
        raise UsageError(f"{figures.platform}: a transaction type is unknown {unknown} or stands twice")


def _last_day(period: str) -> date:
    found = _PERIOD.fullmatch(period)
    if found is None:
        raise UsageError(f"the period must be a month such as 2019-12, not {period!r}")
    year, month = int(found[1]), int(found[2])
    return date(year, month, monthrange(year, month)[1])
