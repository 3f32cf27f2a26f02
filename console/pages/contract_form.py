"""A contract as a form: a named field for each thing that it says, and back; what is wrong with it stands beside the field it speaks of.

What has no field of its own here, or has parts of parts, is one field in JSON under its own name, so that no term is out of reach.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from console.pages.words import TYPES, Words
from custody import external_hosts, protection
from custody.core_model import CoreModel
from custody.file_schedule import Days
from custody.names import MONTHLY, OCCASIONAL, FileType, PartyKind
from custody.protection import Protection, Way
from custody.services.organisations import contract_faults, known_terms

# What a party of this kind may send.
_SENT = {
    PartyKind.PLATFORM: (
        FileType.CUSTOMER, FileType.LOAN, FileType.TXN, FileType.CLAIM, FileType.BALANCE, *sorted(OCCASIONAL | MONTHLY),
    ),
    PartyKind.CHANNEL: (FileType.SETTLEMENT,),
    PartyKind.GATEWAY: (FileType.INSTRUCTION, FileType.MANDATE, FileType.LEGAL_ORDER),
    PartyKind.REPORTING: (),
}  # fmt: skip
_HOST = [field.name for field in fields(external_hosts.ExternalHost)]
_WORDS: dict[str, Words] = {
    "core_model": ("core model", "核心模式"),
    "core_model_from": ("core model from", "核心模式启用日"),
    "encoding": ("encoding", "编码"),
    "file_types": ("due of every date", "每日应报"),
    "layouts": ("layouts", "版式"),
    "days": ("of which dates", "报送日"),
    "batches": ("batches", "批次"),
    "grace_minutes": ("grace, minutes", "宽限（分钟）"),
    "channel_fee_rate": ("channel's fee rate", "渠道费率"),
    "channel_fee_min_minor": ("channel's least fee, fen", "渠道最低手续费（分）"),
    "host": ("host", "主机"),
    "port": ("port", "端口"),
    "user": ("user", "用户"),
    "host_key": ("host key, a line", "主机公钥（一行）"),
    "inbound": ("folder we fetch from", "取件目录"),
    "outbound": ("folder we deliver to", "投递目录"),
    "claim": ("claimed by", "锁定方式"),
    "in.ENCRYPTED": ("in: encrypted", "报送：加密"),
    "in.SIGNED": ("in: signed", "报送：签名"),
    "out.ENCRYPTED": ("out: encrypted", "发出：加密"),
    "out.SIGNED": ("out: signed", "发出：签名"),
    "related_parties": ("related parties' customer ids, a line each", "关联方客户编号（每行一个）"),
    "repayment_order": ("order of repayment, separated by commas; empty: the usual", "还款顺序（逗号分隔；留空为通常顺序）"),
}
_GROUPS: dict[str, Words] = {
    "core": ("Core and encoding", "核心与编码"),
    "files": (
        "Files. Layouts by commas; batches a line each: cut-off, due, such as 24:00 D+1 01:00; without dates as usual",
        "文件。版式以逗号分隔；批次每行一个：截止与时限，如 24:00 D+1 01:00；不填报送日即按通常时限",
    ),
    "fee": ("Fees", "费用"),
    "openpgp": ("OpenPGP", "OpenPGP 加密与签名"),
    "external_host": ("Its own SFTP host; empty where it drops with us", "机构自有 SFTP 主机（向本行投递的留空）"),
    "other": ("Other terms", "其他条款"),
}
# Of what is in JSON, or of a fee contract; what is not named here is shown by its own name.
_MORE_WORDS: dict[str, Words] = {
    "charged": ("charged monthly or quarterly", "收费周期（monthly 或 quarterly）"),
    "charge_business_day": ("on which bank business day after it", "扣收日（期后第几个银行工作日）"),
    "currency": ("currency", "币种"),
    "day_count": ("day count", "计息天数惯例"),
    "per_mille_year": ("per mille a year", "年费率（‰）"),
    "per_transaction_minor": ("for a transaction, fen (JSON)", "单笔收费（分，JSON）"),
    "rounding": ("rounding", "舍入"),
    "valid_from": ("valid from", "起始日"),
    "valid_to": ("valid to", "终止日"),
    "vat_rate": ("VAT rate", "增值税率"),
    "dialect": ("dialect (JSON)", "方言参数（JSON）"),
    "alerts": ("alerts (JSON)", "预警通知（JSON）"),
    "reports": ("reports that it gets (JSON)", "接收的报表（JSON）"),
}
_NO_JSON = "{name} is no JSON: {why}"


@dataclass(frozen=True)
class Field:
    """``kind``: text, lines, tick or choice; ``fault``: what is wrong with it."""

    name: str
    words: Words
    kind: str
    value: str
    choices: Sequence[str] = ()
    fault: str = ""


@dataclass(frozen=True)
class Group:
    """Fields that stand together, each row of a table in a list of its own."""

    words: Words
    rows: list[tuple[Words | None, list[Field]]]


def values_of(contract: Mapping[str, Any]) -> dict[str, str]:
    """The fields' values as a form has them: name -> text."""
    said = dict(contract)
    values: dict[str, str] = {f"file_types.{one}": "yes" for one in said.pop("file_types", [])}
    values |= {f"layouts.{one}": ", ".join(ids) for one, ids in said.pop("layouts", {}).items()}
    for file_type, terms in said.pop("schedule", {}).items():
        lines = [f"{batch['cut_off']} {batch['due']}" for batch in terms["batches"]]
        of = {"days": terms["days"], "batches": "\n".join(lines), "grace_minutes": str(terms["grace_minutes"])}
        values |= {f"schedule.{file_type}.{name}": value for name, value in of.items()}
    for way, wanted in said.pop(protection.TERM, {}).items():
        values |= {f"{protection.TERM}.{way}.{one}": "yes" for one in wanted}
    for term in (external_hosts.TERM, "fee_contract"):
        values |= {f"{term}.{name}": _shown(value) for name, value in said.pop(term, {}).items()}
    values["related_parties"] = "\n".join(said.pop("related_parties", []))
    values["repayment_order"] = ", ".join(said.pop("repayment_order", []))
    return values | {name: _shown(value) for name, value in said.items()}


def contract_of(kind: str, before: Mapping[str, Any], values: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """What a form says, and what is wrong with it in words, each naming the term. ``before``: the contract that stands, which says of
    what form a value is."""
    faults: list[str] = []
    contract: dict[str, Any] = {"file_types": _kept_order(before.get("file_types", []), _under(values, "file_types"))}
    contract["layouts"] = {name: _list(said, ",") for name, said in _under(values, "layouts").items() if said}
    schedule = {
        name: {"days": days, "batches": _batches(values.get(f"schedule.{name}.batches", "")), "grace_minutes": _number(grace)}
        for name in contract["layouts"]
        for days, grace in [(values.get(f"schedule.{name}.days", ""), values.get(f"schedule.{name}.grace_minutes", ""))]
        if days
    }
    openpgp = {way: [str(one) for one in Protection if values.get(f"openpgp.{way}.{one}")] for way in Way}
    host = {name: values.get(f"{external_hosts.TERM}.{name}", "") for name in _HOST}
    contract |= {
        name: said
        for name, said in {
            "schedule": schedule,
            protection.TERM: {str(way): wanted for way, wanted in openpgp.items() if wanted},
            external_hosts.TERM: {**host, "port": _number(host["port"])} if any(host.values()) else {},
            "related_parties": _list(values.get("related_parties", ""), "\n"),
            "repayment_order": _list(values.get("repayment_order", ""), ","),
        }.items()
        if said
    }
    if "fee_contract" in known_terms(kind):
        fee, old = _under(values, "fee_contract"), before.get("fee_contract", {})
        contract["fee_contract"] = {
            name: _read(f"fee_contract: {name}", said, old.get(name), faults) for name, said in fee.items()
        }
    for name in _plain_terms(kind, before):
        if said := values.get(name, ""):
            contract[name] = _read(name, said, before.get(name, {} if name not in _WORDS else ""), faults)
    return contract, faults or contract_faults(kind, contract)


def groups_of(
    kind: str, before: Mapping[str, Any], values: Mapping[str, str], faults: Sequence[str]
) -> tuple[list[Group], list[str]]:
    """The form with its values, and the faults that no field stands for."""
    rows = dict(_rows(kind, before, values))
    names = [field.name for group in rows.values() for _, row in group for field in row]
    placed: dict[str, list[str]] = {}
    for fault in faults:
        placed.setdefault(_place(fault, names), []).append(fault)
    groups = [
        Group(_GROUPS[name], [(head, [_with_fault(field, placed) for field in row]) for head, row in group])
        for name, group in rows.items()
    ]
    return groups, placed.get("", [])


def _rows(
    kind: str, before: Mapping[str, Any], values: Mapping[str, str]
) -> Iterator[tuple[str, list[tuple[Words | None, list[Field]]]]]:
    def field(name: str, words: Words, kind: str = "text", choices: Sequence[str] = ()) -> Field:
        return Field(name, words, kind, values.get(name, ""), choices)

    def plain(name: str, kind: str = "text", choices: Sequence[str] = ()) -> Field:
        return field(name, _WORDS[name], kind, choices)

    core = [plain("encoding", "choice", ("utf-8", "gb18030")), plain("core_model", "choice", list(CoreModel))]
    yield "core", [(None, [*core, *([plain("core_model_from")] if kind == PartyKind.PLATFORM else [])])]
    types = dict.fromkeys([*_SENT[PartyKind(kind)], *before.get("layouts", {})])
    yield "files", [((name, TYPES.get(name, "")), list(_of_type(name, field))) for name in types]
    if "fee_contract" in known_terms(kind):
        of = [(name, _is_nested(value)) for name, value in before.get("fee_contract", {}).items()]
        yield "fee", [(None, [field(f"fee_contract.{name}", _more(name), "lines" if deep else "text") for name, deep in of])]
    if kind == PartyKind.CHANNEL:
        yield "fee", [(None, [plain("channel_fee_rate"), plain("channel_fee_min_minor")])]
    ways = [f"{way}.{one}" for way in Way for one in Protection]
    yield "openpgp", [(None, [field(f"openpgp.{name}", _WORDS[name], "tick") for name in ways])]
    host = [
        field(f"external_host.{name}", _WORDS[name], *(("choice", ["", *external_hosts.Claim]) if name == "claim" else ()))
        for name in _HOST
    ]
    yield "external_host", [(None, host)]
    lines = [plain("related_parties", "lines"), plain("repayment_order")] if kind == PartyKind.PLATFORM else []
    more = [field(name, _more(name), "lines") for name in _plain_terms(kind, before) if name not in _WORDS]
    yield "other", [(None, [*lines, *more])]


def _more(name: str) -> Words:
    return _MORE_WORDS.get(name, (name, ""))


def _of_type(name: str, field: Any) -> Iterator[Field]:
    if name not in OCCASIONAL | MONTHLY:
        yield field(f"file_types.{name}", _WORDS["file_types"], "tick")
    yield field(f"layouts.{name}", _WORDS["layouts"])
    if name not in OCCASIONAL:
        yield field(f"schedule.{name}.days", _WORDS["days"], "choice", ["", *Days])
        yield field(f"schedule.{name}.batches", _WORDS["batches"], "lines")
        yield field(f"schedule.{name}.grace_minutes", _WORDS["grace_minutes"])


def _plain_terms(kind: str, before: Mapping[str, Any]) -> list[str]:
    """Terms that are one field each."""
    apart = {
        "file_types", "layouts", "schedule", protection.TERM, external_hosts.TERM, "fee_contract", "related_parties", "repayment_order",
    }  # fmt: skip
    return sorted((known_terms(kind) | set(before)) - apart)


def _place(fault: str, names: Sequence[str]) -> str:
    """The first field of whose name the fault says most, of the term that it names first; "" where it names none."""
    said = re.findall(r"\w+", fault)
    of_term = [name for name in names if name.split(".")[0] in said]
    return max(
        of_term, key=lambda name: (-said.index(name.split(".")[0]), sum(part in said for part in name.split("."))), default=""
    )


def _with_fault(field: Field, placed: Mapping[str, list[str]]) -> Field:
    return Field(field.name, field.words, field.kind, field.value, field.choices, "; ".join(placed.get(field.name, [])))


def _under(values: Mapping[str, str], term: str) -> dict[str, str]:
    return {name.removeprefix(f"{term}."): said for name, said in values.items() if name.startswith(f"{term}.")}


def _kept_order(before: Sequence[str], ticked: Mapping[str, str]) -> list[str]:
    chosen = [name for name, said in ticked.items() if said]
    return [*(name for name in before if name in chosen), *(name for name in chosen if name not in before)]


def _list(said: str, between: str) -> list[str]:
    return [one.strip() for one in said.split(between) if one.strip()]


def _batches(said: str) -> list[dict[str, str]]:
    pairs = [line.partition(" ") for line in _list(said, "\n")]
    return [{"cut_off": cut_off, "due": due.strip()} for cut_off, _, due in pairs]


def _number(said: str) -> int | str:
    """What is no number is told by the contract's own rules."""
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 16 else said


def _is_nested(value: object) -> bool:
    return isinstance(value, (Mapping, list, bool))


def _shown(value: object) -> str:
    if _is_nested(value):
        return json.dumps(value, ensure_ascii=False, indent=1)
    return "" if value is None else str(value)


def _read(name: str, said: str, before: object, faults: list[str]) -> Any:
    if _is_nested(before):
        try:
            return json.loads(said)
        except ValueError as why:
            faults.append(_NO_JSON.format(name=name, why=why))
            return None
    if before is None:
        return said or None
    return _number(said) if isinstance(before, int) else said
