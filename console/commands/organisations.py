"""``custody org``: organisations, their keys, and who may log in to the drop."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.bootstrap import Wiring
from console.output import ActorOption, JsonOption, NoteOption, command, emit, emit_proposal, parse_date, wired
from custody.calendar import CHINA, custody_date_of
from custody.counting import counted
from custody.errors import UsageError
from custody.file_schedule import in_words, scheduled_types, terms_of
from custody.party_status import PartyStatus
from custody.services import acceptance, organisations, party_contacts, party_keys
from custody.services.access import SYSTEM
from custody.services.alerts import raise_alert
from custody.services.calendars import watch_end
from custody.services.contract_changes import propose_contract
from custody.services.organisation_history import SHOWN_DAYS, show_organisation
from custody.services.organisation_query import OrganisationQuery, find_organisations, missing_files
from custody.services.outbound import queue
from custody.services.party_contacts import Contact
from custody.services.party_keys import KeyUse, PartyKey, PublicKey
from custody.services.status_changes import propose_status

PartyArgument = Annotated[str, typer.Argument(help="Party id. 机构编号")]


def add_organisations(app: typer.Typer) -> None:
    deeds: dict[str, Callable[..., None]] = {
        "onboard": org_onboard,
        "list": org_list,
        "show": org_show,
        "suspend": org_suspend,
        "status": org_status,
        "admit": org_admit,
        "kit": org_kit,
        "test": org_test,
        "bank-key": org_bank_key,
        "dial": org_dial,
    }
    org = _group("Platforms, channels, the gateway. 机构", deeds)
    org.add_typer(_group("Public keys. 机构公钥", {"list": key_list, "add": key_add, "revoke": key_revoke}), name="key")
    contact: dict[str, Callable[..., None]] = {"list": contact_list, "set": contact_set, "remove": contact_remove}
    org.add_typer(_group("Whom to call. 联系人", contact), name="contact")
    org.add_typer(_group("Contracts. 合同", {"show": contract_show, "propose": contract_propose}), name="contract")
    app.add_typer(org, name="org")


def _group(words: str, deeds: dict[str, Callable[..., None]]) -> typer.Typer:
    group = typer.Typer(help=words, no_args_is_help=True)
    for verb, function in deeds.items():
        group.command(verb)(function)
    return group


@command
def org_onboard(
    world: Annotated[str, typer.Option("--from", help="A world's folder with world.json and keys/. 目录")],
    actor: ActorOption,
    note: NoteOption,
    only: Annotated[list[str] | None, typer.Option("--party", help="These alone; else all. 指定机构")] = None,
    to_be_tested: Annotated[
        bool, typer.Option("--to-be-tested", help="Onboarding until it has passed its acceptance test. 先行准入测试")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Propose the parties of a folder for onboarding; another person approves each. 机构准入

    Without --to-be-tested they are live at once: the note is why they need no acceptance test.
    """
    folder = Path(world)
    described = json.loads((folder / "world.json").read_text(encoding="utf-8"))
    proposals = {}
    with wired() as wiring:
        for p in described["parties"]:
            if only and p["party"] not in only:
                continue
            key = (folder / "keys" / f"{p['party']}.pub").read_text(encoding="utf-8")
            proposals[p["party"]] = organisations.propose_party(
                wiring.register,
                wiring.clock,
                actor,
                p["party"],
                p["kind"],
                p["name_en"],
                p["name_zh"],
                contract_of(p, wiring.secrets.identity_digest),
                key,
                note,
                live_untested=not to_be_tested,
            )
    emit({"proposals": proposals}, as_json, [f"{party}: proposal {number}" for party, number in proposals.items()])
    return 0


# Channels take at least one fen for a payment; a contract that says otherwise names its own minimum.
_SIMULATED_MIN_FEE_MINOR = 1


def contract_of(party: dict[str, Any], identity_digest: Callable[[str, str], str]) -> dict[str, object]:
    """A world's description of a party as the contract that the register keeps: of its related parties the digests alone."""
    contract = {n: party[n] for n in ("encoding", "layouts", "dialect", "file_types", "core_model")}
    if "core_model_from" in party:
        contract["core_model_from"] = party["core_model_from"]
    if party["fee_contract"] is not None:
        contract["fee_contract"] = party["fee_contract"]
    if "reports" in party:
        contract["reports"] = party["reports"]
    # A world that was frozen before names neither.
    if party.get("branch"):
        contract["branch"] = party["branch"]
    if related := party.get("related_parties"):
        contract["related_parties"] = sorted(identity_digest(one["id_type"], one["id_no"]) for one in related)
    if party["fee_rate"] is not None:
        contract |= {"channel_fee_rate": party["fee_rate"], "channel_fee_min_minor": _SIMULATED_MIN_FEE_MINOR}
    return contract


@command
def org_list(
    kind: Annotated[str, typer.Option("--kind", help="PLATFORM, CHANNEL, GATEWAY. 种类")] = "",
    status: Annotated[str, typer.Option("--status", help="LIVE, SUSPENDED ... 状态")] = "",
    name: Annotated[str, typer.Option("--name", help="Part of id or name. 编号或名称")] = "",
    layout: Annotated[str, typer.Option("--layout", help="Part of a layout's id. 版式")] = "",
    dialect: Annotated[bool | None, typer.Option("--dialect/--own", help="Has a dialect, or has none. 方言")] = None,
    key_ends: Annotated[int | None, typer.Option("--key-ends", min=1, help="A key ends in so many days. 公钥将到期天数")] = None,
    missing: Annotated[bool, typer.Option("--missing", help="Has files that are called missing. 有缺失文件")] = False,
    as_json: JsonOption = False,
) -> int:
    """Organisations as they are today, by what is asked. 机构查询"""
    with wired() as wiring:
        on = today(wiring)
        with wiring.register.transaction() as tx:
            rows = find_organisations(tx, OrganisationQuery(kind, status, name, layout, dialect, key_ends, missing), on)
            lacking = missing_files(tx)
    words = [
        f"{p.party:<6} {p.kind:<9} {p.status:<12} {p.name_en} / {p.name_zh}"
        + (f"  {counted(lacking[p.party], 'file')} missing 缺失文件" if p.party in lacking else "")
        for p in rows
    ]
    said = [{"party": p.party, "kind": p.kind, "status": p.status, "missing": lacking.get(p.party, 0)} for p in rows]
    emit({"parties": said}, as_json, words or ["none 无"])
    return 0


@command
def org_show(party: Annotated[str, typer.Argument(help="Party id. 机构编号")], as_json: JsonOption = False) -> int:
    """Its status, contract, keys, contacts (masked), tests, what was decided about it, its last days of files. 机构详情"""
    with wired() as wiring, wiring.register.transaction() as tx:
        told = show_organisation(tx, party, SHOWN_DAYS)
    of = told.party
    files = {on.isoformat(): counts for on, counts in told.files}
    summary: dict[str, Any] = {
        "party": of.party, "kind": of.kind, "name_en": of.name_en, "name_zh": of.name_zh, "status": of.status, "contract": of.contract,
        "statuses": [{"valid_from": row["valid_from"], "status": row["status"]} for row in told.dated.statuses],
        "contract_versions": [row["valid_from"] for row in told.dated.contracts],
        "keys": [_key_summary(key) for key in told.keys], "contacts": [asdict(contact) for contact in told.contacts],
        "acceptance_tests": [{n: row[n] for n in ("test_no", "outcome", "files", "faults", "report_name")} for row in told.tests],
        "decisions": [{n: row[n] for n in ("proposal_id", "kind", "state", "maker", "checker", "note")} for row in told.decisions],
        "files": files,
        "schedule": {name: in_words(terms_of(of.contract, name)) for name in scheduled_types(of.contract)},
        "promised": {on.isoformat(): counts for on, counts in told.promised},
    }  # fmt: skip
    words = [f"{of.party} {of.kind} {of.status} {of.name_en} / {of.name_zh}"]
    words += [f"  status from {_since(row['valid_from'])}: {row['status']}" for row in told.dated.statuses]
    words += [f"  contract from {_since(row['valid_from'])}" for row in told.dated.contracts[1:]]
    words += [
        f"  key {key.key_use} {key.fingerprint} {key.valid_from or '…'} – {key.valid_to or '…'} {key.state}" for key in told.keys
    ]
    words += [f"  call {c.role} {c.rank}: {c.name} {c.phone} {c.mail}" for c in told.contacts]
    words += [f"  acceptance test {t['test_no']}: {t['outcome']}, {t['report_name']}" for t in told.tests]
    words += [f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in sorted(of.contract.items())]
    words += [f"  {name} due {terms}" for name, terms in summary["schedule"].items()]
    for of_what, by_date in (("files", files), ("promised", summary["promised"])):
        for on, counts in by_date.items():
            words.append(f"  {on} {of_what}: {', '.join(f'{count} {state}' for state, count in counts.items())}")
    words += [f"  {row['kind']} {row['state']}: {row['maker']} / {row['checker'] or '-'} {row['note']}" for row in told.decisions]
    emit(summary, as_json, words)
    return 0


def _since(first: date) -> str:
    return "the beginning 起始" if first == organisations.BEGINNING else first.isoformat()


SinceOption = Annotated[str, typer.Option("--from", help="First custody date; else the first that is not cut off. 生效账务日")]


@command
def org_suspend(
    party: PartyArgument, actor: ActorOption, note: NoteOption, since: SinceOption = "", as_json: JsonOption = False
) -> int:
    """Propose to suspend it: its files are kept and not landed, it does no new business. 暂停机构"""
    return _propose_status(party, PartyStatus.SUSPENDED, actor, note, since, False, as_json)


@command
def org_status(
    party: PartyArgument,
    status: Annotated[PartyStatus, typer.Argument(help="What it becomes. 状态")],
    actor: ActorOption,
    note: NoteOption,
    since: SinceOption = "",
    untested: Annotated[
        bool, typer.Option("--untested", help="Live without a passed acceptance test; the note says why. 免测上线")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Propose another status from a custody date on; another person approves it. 变更机构状态"""
    return _propose_status(party, status, actor, note, since, untested, as_json)


def _propose_status(party: str, status: PartyStatus, actor: str, note: str, since: str, untested: bool, as_json: bool) -> int:
    with wired() as wiring:
        on = parse_date(since) if since else None
        proposal = propose_status(
            wiring.register, wiring.clock, actor, party, status, note, on, untested=untested, books=wiring.books
        )
    emit_proposal(proposal, as_json)
    return 0


@command
def contract_show(
    party: PartyArgument,
    on: Annotated[str, typer.Option("--on", help="As it is on a custody date; else every version. 账务日期")] = "",
    as_json: JsonOption = False,
) -> int:
    """The contract, in each version with its first custody date. 合同版本"""
    with wired() as wiring, wiring.register.transaction() as tx:
        versions = organisations.standing_party(tx, party).contracts_until(parse_date(on) if on else date.max)
    shown = versions[-1:] if on else versions
    words = []
    for since, contract in shown:
        words.append(f"from {_since(since)}")
        words += [f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in sorted(contract.items())]
    emit({"versions": [{"valid_from": since, "contract": contract} for since, contract in shown]}, as_json, words)
    return 0


@command
def contract_propose(
    party: PartyArgument,
    file: Annotated[str, typer.Option("--file", help="The whole contract as JSON. 合同文件")],
    actor: ActorOption,
    note: NoteOption,
    since: SinceOption = "",
    as_json: JsonOption = False,
) -> int:
    """Propose a version of the contract from a custody date on; another person approves it. 变更合同"""
    try:
        contract = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as why:
        raise UsageError(f"{file} is no JSON file: {why}") from None
    if not isinstance(contract, dict):
        raise UsageError(f"{file} must hold one JSON object, as custody org contract show --json has it")
    with wired() as wiring:
        on = parse_date(since) if since else None
        proposal = propose_contract(wiring.register, wiring.clock, actor, party, contract, on, note)
    emit_proposal(proposal, as_json)
    return 0


@command
def org_kit(
    party: PartyArgument,
    out: Annotated[str, typer.Option("--out", help="Folder to write it to. 输出目录")],
    as_json: JsonOption = False,
) -> int:
    """What a new organisation is given: the letter, its layouts' documents, sample files. 准入资料"""
    from connectors.onboarding_kit import kit_name

    with wired() as wiring:
        data = kit_of(wiring, party)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / kit_name(party)).write_bytes(data)
    emit({"kit": str(folder / kit_name(party)), "bytes": len(data)}, as_json, [str(folder / kit_name(party))])
    return 0


def kit_of(wiring: Wiring, party: str) -> bytes:
    """The onboarding kit as of today. Raises UsageError for an unknown organisation."""
    from connectors.onboarding_kit import onboarding_kit

    with wiring.register.transaction() as tx:
        of = organisations.standing_party(tx, party).on(None)
        found = party_keys.keys(tx, party, KeyUse.SSH)
    return onboarding_kit(wiring.settings, of, found, today(wiring))


def send_kit(wiring: Wiring, party: str) -> None:
    """Queue the kit for the party's out/; what stands there under its name stays."""
    import hashlib

    from connectors.onboarding_kit import kit_name

    data = kit_of(wiring, party)
    sha256 = hashlib.sha256(data).hexdigest()
    reference = wiring.archive.keep(data, sha256)
    with wiring.register.transaction() as tx:
        if tx.get("outbound", file_name=kit_name(party)) is None:
            queue(tx, wiring.clock, party, kit_name(party), sha256, reference)


@command
def org_test(
    party: PartyArgument,
    actor: Annotated[str, typer.Option("--as", help="Who runs it. 操作人", envvar="CUSTODY_ACTOR")] = SYSTEM,
    as_json: JsonOption = False,
) -> int:
    """The acceptance test: the samples it sent, read as a custody day reads files; the report goes to it. 准入测试"""
    with wired() as wiring:
        tested = test_party(wiring, actor, party)
    words = [f"{tested.party} test {tested.test_no}: {tested.outcome}, told in {tested.report}"]
    for file in tested.body["files"]:
        words.append(
            f"  {file['outcome']:<6} {file['name'] or file['file_type']}: {file['rows']} rows, {file['fault_count']} faults"
        )
        words += [
            f"         line {f['line']} {f['field']} {f['value']!r} {f['rule']}: {f['words_en']} {f['words_zh']} -> {f['to_do_en']} {f['to_do_zh']}"
            for f in file["faults"][:_SHOWN_FAULTS]
        ]
    emit(dict(tested.body) | {"test_no": tested.test_no, "report": tested.report}, as_json, words)
    return 0 if tested.outcome == acceptance.PASSED else 1


# The rest is in the report.
_SHOWN_FAULTS = 5


def test_party(wiring: Wiring, actor: str, party: str) -> acceptance.AcceptanceTest:
    """Test the samples that stand and deliver the report. Raises what run_acceptance raises."""
    from custody.services.deliveries import deliver_pending
    from jobs.acceptance import sample_reader

    tested = acceptance.run_acceptance(wiring.exchange_ports, sample_reader(wiring), actor, party)
    deliver_pending(wiring.exchange_ports, party)
    return tested


def today(wiring: Wiring) -> date:
    return custody_date_of(wiring.clock.now())


@command
def org_admit(as_json: JsonOption = False) -> int:
    """Make the drop's log-ins what the register says of today, and warn of keys that end soon. 同步登录权限

    After each decision it is done by itself; the scheduler repeats it, so that a key begins on its first date, and what a
    crash left is brought about. Where the machine's sshd serves the drop it takes root.
    """
    with wired() as wiring:
        warned = admit_today(wiring)
    words = [f"{key.party} {key.key_use} {key.fingerprint} ends {key.valid_to}" for key in warned]
    emit({"ending": [_key_summary(key) for key in warned]}, as_json, words or ["log-ins are as the register says 登录权限已同步"])
    return 0


def admit_today(wiring: Wiring) -> list[PartyKey]:
    """Returns the keys that end soon and have no successor; each is an alert, once, and so is the end of the calendar."""
    from connectors.drop_accounts import follow_register

    on = today(wiring)
    follow_register(wiring.settings, wiring.register, on)
    watch_end(wiring.register)
    with wiring.register.transaction() as tx:
        warned = party_keys.ending(party_keys.keys(tx), on)
    for key in warned:
        words = (
            f"the {key.key_use} key {key.fingerprint} of {key.party} ends on {key.valid_to}, and no other goes on: ask for its next one",
            f"{key.party} 的 {key.key_use} 公钥 {key.fingerprint} 将于 {key.valid_to} 失效且无后续公钥：请向机构索取新公钥",
        )
        raise_alert(
            wiring.register, SYSTEM, "KEY_ENDS", f"{key.party}|{key.fingerprint}", on, *words, occurrence=str(key.valid_to)
        )
    return warned


@command
def org_dial(party: PartyArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    """Its own host has been looked at: dial it again with the next sweep. 恢复连接机构主机"""
    from custody.services.dialling import resume

    with wired() as wiring:
        resume(wiring.register, actor, party, note)
    emit({"party": party, "dialled": True}, as_json)
    return 0


@command
def org_bank_key(as_json: JsonOption = False) -> int:
    """The bank's public keys: OpenPGP for parties whose contract asks for it, SSH for those whose hosts we dial. 银行公钥"""
    from connectors.openpgp import bank_certificate
    from connectors.ssh_keys import public_key_line

    with wired() as wiring:
        certificate = bank_certificate(wiring.settings.path(wiring.settings.keys.openpgp_key))
        log_in = public_key_line(wiring.settings.path(wiring.settings.sftp.collector_key))
    emit({"openpgp": certificate, "ssh": log_in}, as_json, [certificate, log_in])
    return 0


@command
def key_list(
    party: Annotated[str, typer.Argument(help="Party id; all without it. 机构编号")] = "",
    ending: Annotated[int, typer.Option("--ending", min=0, help="Only what ends within so many days. 多少天内失效")] = 0,
    as_json: JsonOption = False,
) -> int:
    """Every key with its fingerprint, dates and state. 公钥列表"""
    with wired() as wiring:
        on = today(wiring)
        with wiring.register.transaction() as tx:
            found = party_keys.keys(tx, party or None)
    if ending:
        found = [key for key in found if key.ends_within(on, ending)]
    words = [
        f"{key.party:<6} {key.key_use:<8} {key.fingerprint}  {key.valid_from or '…'} – {key.valid_to or '…'}  "
        f"{key.state}{', works today 今日有效' if key.works_on(on) else ''}"
        for key in found
    ]
    emit({"keys": [_key_summary(key) for key in found]}, as_json, words or ["no keys 无公钥"])
    return 0


def _key_summary(key: PartyKey) -> dict[str, object]:
    return {n: getattr(key, n) for n in ("party", "key_use", "fingerprint", "valid_from", "valid_to", "state")}


@command
def key_add(
    party: PartyArgument,
    file: Annotated[str, typer.Option("--file", help="The public key. 公钥文件")],
    actor: ActorOption,
    note: NoteOption,
    use: Annotated[KeyUse, typer.Option("--use", help="Log-in, or encryption and signature of files. 用途")] = KeyUse.SSH,
    first: Annotated[str, typer.Option("--from", help="First date on which it works; else today. 生效日")] = "",
    last: Annotated[str, typer.Option("--until", help="Last date; else it has no end. 失效日")] = "",
    replaces: Annotated[str, typer.Option("--replaces", help="Fingerprint of the key whose place it takes. 被替换公钥指纹")] = "",
    replaces_until: Annotated[str, typer.Option("--replaces-until", help="Last date of that one. 被替换公钥失效日")] = "",
    as_json: JsonOption = False,
) -> int:
    """Propose a key, or other dates of a standing one; another person approves it. 新增或调整公钥"""
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"{file} is not a file")
    key = read_key(use, path.read_text(encoding="utf-8"))
    with wired() as wiring:
        proposal = party_keys.propose_key(
            wiring.register,
            wiring.clock,
            actor,
            party,
            key,
            parse_date(first) if first else today(wiring),
            parse_date(last) if last else None,
            note,
            replaces or None,
            parse_date(replaces_until) if replaces_until else None,
        )
    emit_proposal(proposal, as_json)
    return 0


def read_key(use: KeyUse, text: str) -> PublicKey:
    """Raises UsageError for what is no key of this use."""
    if use is KeyUse.OPENPGP:
        from connectors.openpgp import openpgp_key

        found = openpgp_key(text, custody_date_of(datetime.now(CHINA)))
        if found is None:
            raise UsageError(
                "that is no OpenPGP public key that works: it has a name, no secret part, and is neither revoked nor expired"
            )
        return found
    key = party_keys.ssh_key(text)
    if key is None:
        raise UsageError(f"that is not one line of an OpenSSH {party_keys.SSH_TYPE} public key")
    return key


@command
def key_revoke(
    party: PartyArgument,
    fingerprint: Annotated[str, typer.Argument(help="Its fingerprint, or the beginning of it. 公钥指纹")],
    actor: ActorOption,
    note: NoteOption,
    as_json: JsonOption = False,
) -> int:
    """Lock a key out now; another person makes it final, or turns it down and the key works again. 立即停用公钥"""
    from connectors.drop_accounts import follow_register

    with wired() as wiring:
        proposal = party_keys.propose_revocation(wiring.register, wiring.clock, actor, party, fingerprint, note)
        follow_register(wiring.settings, wiring.register, today(wiring))
    emit_proposal(proposal, as_json)
    return 0


@command
def contact_list(
    party: PartyArgument,
    actor: Annotated[
        str, typer.Option("--as", help="In clear for him, which is recorded; else masked. 操作人（明文显示并留痕）")
    ] = "",
    as_json: JsonOption = False,
) -> int:
    """Whom to call, the first one first. 联系人"""
    with wired() as wiring:
        if actor:
            found = party_contacts.reveal_contacts(wiring.register, wiring.secrets, actor, party)
        else:
            with wiring.register.transaction() as tx:
                party_contacts.check_place(tx, party)
                found = party_contacts.contacts(tx, party)
    words = [f"{c.role:<15} {c.rank}  {c.name}  {c.phone}  {c.mail}" for c in found]
    emit({"contacts": [asdict(c) for c in found]}, as_json, words or ["none 无"])
    return 0


RoleArgument = Annotated[
    str, typer.Argument(help="OPERATIONS, COMPLIANCE ... of a party; of BANK a duty, such as RISK_OFFICER. 角色")
]
RankOption = Annotated[int, typer.Option("--rank", help="1 is called first. 次序")]


@command
def contact_set(
    party: PartyArgument,
    role: RoleArgument,
    name: Annotated[str, typer.Option("--name", help="Name. 姓名")],
    phone: Annotated[str, typer.Option("--phone", help="Telephone. 电话")],
    mail: Annotated[str, typer.Option("--mail", help="Mail address. 邮箱")],
    actor: ActorOption,
    note: NoteOption,
    rank: RankOption = 1,
    as_json: JsonOption = False,
) -> int:
    """Propose who is called; another person approves it. 设置联系人"""
    with wired() as wiring:
        contact = Contact(role, rank, name, phone, mail)
        proposal = party_contacts.propose_contact(wiring.register, wiring.clock, wiring.secrets, actor, party, contact, note)
    emit_proposal(proposal, as_json)
    return 0


@command
def contact_remove(
    party: PartyArgument,
    role: RoleArgument,
    actor: ActorOption,
    note: NoteOption,
    rank: RankOption = 1,
    as_json: JsonOption = False,
) -> int:
    """Propose that he is called no more; another person approves it. 移除联系人"""
    with wired() as wiring:
        proposal = party_contacts.propose_removal(wiring.register, wiring.clock, actor, party, role, rank, note)
    emit_proposal(proposal, as_json)
    return 0
