"""One alert as a person reads it: what happened to it, who was told, by which rule and source, and the rows behind it; and how overdue
money has developed. For the command line and the page alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.bootstrap import Wiring
from connectors.lake import is_word
from console.compliance_view import rules_sealed
from custody.alert_words import Words
from custody.compliance import CURRENCY
from custody.compliance_rules import NEEDS, Disclosure
from custody.errors import UsageError
from custody.masking import mask_user_numbers
from custody.match_rules import Rule
from custody.money import format_amount
from custody.permissions import permitted
from custody.platform_funds import Concern
from custody.ports import RegisterTx, Row
from custody.risk_alerts import RULES
from custody.rule_forms import ComplianceTerms
from custody.services import alerts as service
from custody.services.access import duties_of
from custody.services.alert_messages import messages, told_in
from custody.services.outbound import UNDELIVERED
from custody.services.outputs import latest_seal, seals_of_step
from custody.services.rules import rule_book
from schemas.rule_book import shipped_rules

_FUNDS = {concern.rule: str(concern) for concern in Concern}
# Of so many rows at most an explanation shows each.
_SHOWN = 20


@dataclass(frozen=True)
class Behind:
    """Rows that an alert rests on, and where they stand."""

    place: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class AlertView:
    """``source``: (English, Chinese) of whoever says that this is to be watched; ``route``: the rule by which people are told."""

    row: Row
    history: list[Row]
    messages: list[Row]
    route: Rule
    source: Words
    figures: dict[str, Any]
    behind: list[Behind]


def view_alert(wiring: Wiring, alert_id: str, reader: str = "") -> AlertView:
    """Raises UsageError for none that is so. ``reader``: a person; the rows behind a finding of compliance are for who may see findings."""
    with wiring.register.transaction() as tx:
        row = service.alert_named(tx, alert_id)
        history = service.history(tx, row["alert_id"])
        sent = messages(tx, row["alert_id"])
        rules = rule_book(tx, shipped_rules()).rules_on(row["last_seen_on"])
        name, _ = rules.alerts.for_alert(row["rule"])
        route = next(rule for rule in rules.rules if rule.id == name)
        behind = _in_register(tx, row)
        sees = bool(reader) and permitted("compliance.view", duties_of(tx, reader))
        seals = {step: latest_seal(tx, row["last_seen_on"], step) for step in ("risk", "validate")}
        assessed_by = latest_seal(tx, row["last_seen_on"], "compliance")
    behind += [part for step, seal in seals.items() if seal is not None for part in _in_lake(wiring, row, step, seal.path)]
    known = RULES.get(row["rule"])
    source = known.citation if known is not None else (route.basis, route.basis)
    figures = json.loads(row["figures"])
    found = None if assessed_by is None else _of_compliance(wiring, row, assessed_by.path)
    if assessed_by is not None and found is not None:
        finding, rule = found
        assert isinstance(rule.says, ComplianceTerms)
        cited = f"{rule.says.citation.regulation}, {rule.says.citation.article} · {rule.id}"
        source, figures = (f"{cited}: {rule.basis}", f"{cited}：{rule.words_zh}"), json.loads(finding["figures"])
        figures |= {"finding": finding["finding_id"], "rows_in_all": finding["rows_in_all"]}
        if sees:
            rows = _rows(wiring, assessed_by.path, "compliance_rows", {"finding_id": finding["finding_id"]})
            said = [{name: value for name, value in one.items() if name != "finding_id"} for one in rows]
            behind.append(Behind(f"lake: {row['last_seen_on']} compliance compliance_rows", said))
    return AlertView(row, history, sent, route, source, figures, [part for part in behind if part.rows])


def _of_compliance(wiring: Wiring, row: Row, path: str) -> tuple[Row, Rule] | None:
    """The finding that the alert tells of and its rule as it was in force. ``path``: of the date's output. An alert carries what may leave the
    bank, and so no number of its finding: its own is made of it. What is confidential is in no alert."""
    rule_id, on = row["rule"].lower(), row["last_seen_on"]
    if rule_id not in NEEDS or NEEDS[rule_id].disclosure is Disclosure.AML:
        return None
    of_rule = (r for r in wiring.lake.rows(path, "compliance_findings") if r["rule"] == rule_id)
    finding = next(
        (r for r in of_rule if service.alert_id_of(row["rule"], row["subject"], r["finding_id"]) == row["alert_id"]), None
    )
    rule = next((r for r in rules_sealed(wiring, on).rules if r.rule_id == rule_id), None)
    if finding is None or rule is None:  # its date was assessed anew, or the finding is gone
        return None
    return finding, rule


def _in_register(tx: RegisterTx, row: Row) -> list[Behind]:
    if row["rule"] == "FILE_MISSING":
        return [Behind("register: expected_file", tx.find("expected_file", alert_id=row["alert_id"]))]
    if row["rule"] == "FILE_QUARANTINED":
        return [Behind("register: file", tx.find("file", ("received_at",), file_name=row["subject"])[-_SHOWN:])]
    if row["rule"] == "OUTBOUND_LATE":
        owed = tx.find("outbound", ("queued_at",), party=row["subject"], state=list(UNDELIVERED))
        return [Behind("register: outbound", owed[:_SHOWN])]
    return []


def _in_lake(wiring: Wiring, row: Row, step: str, path: str) -> list[Behind]:
    figures = json.loads(row["figures"])
    place = f"lake: {row['last_seen_on']} {step}"
    wanted: dict[str, tuple[str, dict[str, object]]] = {
        "DAYS_PAST_DUE": ("loan_risk", {"platform": row["platform"], "loan_id": row["subject"]}),
        "BORROWER_SHORT": ("loan_risk", {"platform": row["platform"], "borrower": figures.get("borrower")}),
        "REPEATED_COMPENSATION": ("compensations", {"platform": row["platform"], "borrower": row["subject"]}),
        "RESERVE_GROWS": ("reserves", {"platform": row["platform"]}),
        "RESULT_UNCONFIRMED": ("confirmations", {"platform": row["platform"], "result": figures.get("result")}),
        "RESULT_DISPUTED": ("confirmations", {"platform": row["platform"], "result": figures.get("result")}),
    }
    if step == "validate" and row["rule"] == "BATCH_FAILED":
        party, file_type, on = row["subject"].split("|")
        equals: dict[str, object] = {"party": party, "file_type": file_type, "custody_date": date.fromisoformat(on)}
        return [Behind(f"{place} batch_findings", _rows(wiring, path, "batch_findings", equals))]
    if step == "risk" and row["rule"] in _FUNDS:
        of: dict[str, object] = {"platform": row["platform"], "concern": _FUNDS[row["rule"]], "account": row["subject"]}
        tables = [(table, of) for table in ("platform_funds_items", "platform_funds")]
        if row["rule"] == Concern.OWN_FUNDS.rule:
            tables.append(("fees_due", {"platform": row["platform"]}))
        return [Behind(f"{place} {table}", _rows(wiring, path, table, equals)) for table, equals in tables]
    if step != "risk" or row["rule"] not in wanted:
        return []
    table, equals = wanted[row["rule"]]
    return [Behind(f"{place} {table}", _rows(wiring, path, table, equals))]


def _rows(wiring: Wiring, path: str, table: str, equals: dict[str, object]) -> list[Row]:
    import pyarrow.compute as pc

    found = wiring.lake.read(path, table)
    for name, value in equals.items():
        found = found.filter(pc.equal(found[name], value))
    rows: list[Row] = found.slice(0, _SHOWN).to_pylist()
    return rows


def shown(row: Row) -> dict[str, str]:
    """A row for people: what names a person at his platform is masked."""
    told = {True: "yes 是", False: "no 否"}
    return {
        name: told[value] if isinstance(value, bool) else mask_user_numbers(str(value))
        for name, value in row.items()
        if value is not None
    }


def spoken(row: Row) -> str:
    """A row in a line of text: amounts in yuan, under names without the unit."""
    currency = str(row.get("currency") or CURRENCY)
    said = {name: format_amount(int(value), currency) if name.endswith("_minor") else value for name, value in shown(row).items()}
    return ", ".join(f"{name.removesuffix('_minor')} {value}" for name, value in said.items())


def message_text(tx: RegisterTx, message: Row) -> str:
    """What it says; of one that has not been tried yet, what it would tell of."""
    if message["body"] is not None:
        return str(message["body"])
    return "\n".join(
        mask_user_numbers(one.event["words_en"] or one.alert["words_en"]) for one in told_in(tx, message["message_id"])
    )


@dataclass(frozen=True)
class Overdue:
    """Money overdue at the end of a date, minor units, by bucket of days past due."""

    on: date
    by_bucket: dict[str, int]


def overdue_trend(wiring: Wiring, days: Sequence[date], platform: str) -> list[Overdue]:
    """Of the dates whose risk is assessed, in order; of one platform, or of all together for ""."""
    import pyarrow.compute as pc

    with wiring.register.transaction() as tx:
        seals = seals_of_step(tx, "risk", days)
    found = []
    for on, seal in sorted(seals.items()):
        table = wiring.lake.read(seal.path, "loan_risk", ["platform", "bucket", "overdue_minor"], ["platform", "bucket"])
        if platform:
            table = table.filter(is_word(table["platform"], platform))
        table = table.filter(pc.greater(table["overdue_minor"], 0))
        sums = table.group_by("bucket").aggregate([("overdue_minor", "sum")]).to_pylist()
        found.append(Overdue(on, {one["bucket"]: one["overdue_minor_sum"] for one in sums}))
    return found


@dataclass(frozen=True)
class Assessed:
    """What the risk step of the newest assessed date says of platforms: ``on`` None and nothing else where none is, or where it was made
    by a program before these tables. ``ahead``: for each day what falls due and what of it is not covered."""

    on: date | None
    ahead: list[Row]
    portfolio: list[Row]
    moves: list[Row]


def assessed(wiring: Wiring, days: Sequence[date], platform: str) -> Assessed:
    """Of one platform, or of all for ""."""
    with wiring.register.transaction() as tx:
        seals = seals_of_step(tx, "risk", days)
    if not seals:
        return Assessed(None, [], [], [])
    on = max(seals)
    if "portfolio" not in wiring.lake.manifest(seals[on].path).tables:
        return Assessed(None, [], [], [])
    ahead, portfolio, moves = (
        [row for row in wiring.lake.rows(seals[on].path, table) if platform in ("", row["platform"])]
        for table in ("shortage_forecast", "portfolio", "bucket_moves")
    )
    found: dict[date, Row] = {}
    for row in ahead:
        day = found.setdefault(row["due"], {"due": row["due"], "due_minor": 0, "short_minor": 0, "items_short": 0})
        for name in ("due_minor", "short_minor", "items_short"):
            day[name] += row[name]
    return Assessed(on, [found[due] for due in sorted(found)], portfolio, moves)


@dataclass(frozen=True)
class Funds:
    """One question about a platform's money (custody.platform_funds): at the end of the date, and day by day ahead. ``first``: the first day
    on which it is short, if there is one."""

    platform: str
    concern: Concern
    account: str
    currency: str
    days: list[Row]

    @property
    def now(self) -> Row:
        """The end of the date."""
        return self.days[0]

    @property
    def first(self) -> Row | None:
        return next((day for day in self.days if day["short_minor"]), None)

    @property
    def most_short_minor(self) -> int:
        return max(int(day["short_minor"]) for day in self.days)


def platform_funds(wiring: Wiring, on: date | None, platform: str) -> list[Funds]:
    """Of the risk step of a date, the shortest of money first; of one platform, or of all for "". None where no date is assessed, or where it was by a
    program before these tables."""
    if on is None:
        return []
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, on, "risk")
    if seal is None or "platform_funds" not in wiring.lake.manifest(seal.path).tables:
        return []
    of: dict[tuple[str, str, str], list[Row]] = {}
    for row in wiring.lake.rows(seal.path, "platform_funds"):
        if platform in ("", row["platform"]):
            of.setdefault((row["platform"], row["concern"], row["account"]), []).append(row)
    found = [Funds(name, Concern(concern), account, days[0]["currency"], days) for (name, concern, account), days in of.items()]
    return sorted(found, key=lambda one: (-one.most_short_minor, one.platform, one.concern, one.account))


def refuse_unknown(name: str, value: str, known: Sequence[str]) -> None:
    """Raises UsageError."""
    if value and value not in known:
        raise UsageError(f"--{name} is {value!r}; write one of {', '.join(known)}")
