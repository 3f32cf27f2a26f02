"""Making an instance, and looking after it: init, the drop server, verification."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from connectors.archive import write_durably
from connectors.bootstrap import Wiring
from connectors.register import as_our_errors
from connectors.settings import (
    FILE_NAME,
    HOME_VARIABLE,
    Settings,
    home_from_environment,
    initial_settings,
    load_settings,
    read_settings,
)
from console.output import ActorOption, JsonOption, command, emit, parse_date, progress, wired
from custody.calendar import custody_date_of
from custody.errors import StopRun, UsageError
from custody.permissions import Duty
from custody.ports import RegisterTx
from custody.services import people as people_service
from custody.services.access import SYSTEM
from custody.services.verifications import record_verification
from schemas.exchange import sha256_hex

# The demo's people; a bank's own come from its directory. None of them may approve his own work, and what is confidential stays
# between risk officers: so there are two.
_FIRST_PEOPLE = {
    "admin": ("Administrator 系统管理员", [Duty.ADMINISTRATOR]),
    "maker": ("Operator 经办", [Duty.OPERATOR, Duty.REPORT_OFFICER]),
    "checker": ("Supervisor 复核", [Duty.SUPERVISOR]),
    "fees": ("Fee officer 计费", [Duty.FEE_OFFICER]),
    "risk": ("Risk officer 风控", [Duty.RISK_OFFICER]),
    "risk2": ("Second risk officer 风控复核", [Duty.RISK_OFFICER]),
    "auditor": ("Auditor 审计", [Duty.AUDITOR]),
}


def add_instance(app: typer.Typer) -> None:
    app.command("init", help="Make an instance (settings, keys, register, first people), or bring one to the newest. 初始化")(
        init
    )
    app.command("serve-sftp", help="Serve the SFTP drop on this machine. 启动 SFTP 收件服务")(serve_sftp)
    app.command("verify")(verify)
    person = typer.Typer(help="Who may act, and as what. 人员与岗位", no_args_is_help=True)
    person.command("add")(person_add)
    person.command("list")(person_list)
    app.add_typer(person, name="person")


@command
def init(
    bank: Annotated[str | None, typer.Option("--bank", help="The custodian bank's name. 银行名称")] = None,
    go_live: Annotated[str | None, typer.Option("--go-live", help="First custody date, YYYY-MM-DD. 首个账务日")] = None,
    sftp_port: Annotated[int | None, typer.Option("--sftp-port", min=0, max=65535, help="Port of the SFTP drop. 端口")] = None,
    prepared: Annotated[
        str | None, typer.Option("--settings", help="A prepared settings.toml instead. 预先备好的设置文件")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Make an instance, or complete one: what is there already stays as it is, so that a run that failed is repeated.

    On an instance that stands it brings the register's tables to the newest; then it needs no options.
    """
    from connectors.drop_accounts import make_server_keys
    from connectors.openpgp import make_bank_key
    from connectors.secrets import make_key_file
    from connectors.ssh_keys import pin_host

    home = home_from_environment()
    home.mkdir(parents=True, exist_ok=True)
    _settle(home, bank, go_live, sftp_port, prepared)
    settings = load_settings(home)
    bring_register_to_newest(settings)
    with wired() as wiring, wiring.register.transaction() as tx:
        is_new = not tx.find("person")
    _refuse_a_half_lost_instance(settings, is_new)
    for key in (settings.keys.identity_key, settings.keys.master_key):
        make_key_file(settings.path(key))
    make_bank_key(settings.path(settings.keys.openpgp_key), settings.instance.bank)
    with wired() as wiring:
        _begin_seals(wiring)
    make_server_keys(settings)
    sftp = settings.sftp
    pin_host(settings.path(sftp.known_hosts), sftp.host, sftp.port, settings.path(sftp.host_key))
    # The people last: with them the instance stands, and its keys are never made again.
    if is_new:
        with wired() as wiring, wiring.register.transaction() as tx:
            _add_first_people(tx)
    made = [FILE_NAME, "keys/", "register", f"people: {', '.join(_FIRST_PEOPLE)}" if is_new else "people as they were"]
    emit({"home": str(home), "made": made}, as_json, [f"{home}: there are now {', '.join(made)}"])
    return 0


def _begin_seals(wiring: Wiring) -> None:
    """The bank's first seal key. Days that were closed by a program that signed none are signed with it."""
    from custody.services.outputs import seal_of
    from jobs.day_seal import sign_day

    if wiring.seals.begin(wiring.settings.instance.go_live):
        with wiring.register.transaction() as tx:
            closes = tx.find("step_output", ("custody_date", "version"), step="close")
        for row in closes:
            sign_day(wiring, seal_of(row))


def bring_register_to_newest(settings: Settings, revision: str = "head") -> None:
    """Make the register's tables, or change them into those of this program; ``revision``: or of an older one."""
    from alembic import command as alembic
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    # Alembic's configuration would take a % for the beginning of a name of its own.
    config.set_main_option("sqlalchemy.url", settings.register_url.replace("%", "%%"))
    with as_our_errors(settings.register_url):
        alembic.upgrade(config, revision)


def _settle(home: Path, bank: str | None, go_live: str | None, sftp_port: int | None, prepared: str | None) -> None:
    """Put the settings file in its place, unless it stands. Raises UsageError when that one says otherwise than the options."""
    path = home / FILE_NAME
    if prepared is not None:
        if (bank, go_live, sftp_port) != (None, None, None):
            raise UsageError("--settings says it all: leave out --bank, --go-live and --sftp-port")
        if not Path(prepared).is_file():
            raise UsageError(f"{prepared} is not a file")
        read_settings(Path(prepared), home)
        body = Path(prepared).read_text(encoding="utf-8")
    elif bank is not None and go_live is not None and sftp_port is not None:
        body = initial_settings(bank, parse_date(go_live), sftp_port)
    elif path.exists() and (bank, go_live, sftp_port) == (None, None, None):
        return
    else:
        raise UsageError("a new instance needs --bank, --go-live and --sftp-port, or --settings")
    if not path.exists():
        write_durably(path, body.encode(), 0o644)
    elif path.read_text(encoding="utf-8") != body:
        raise UsageError(f"{path} exists already and says otherwise: edit it, or run custody init without options to keep it")


def _refuse_a_half_lost_instance(settings: Settings, is_new: bool) -> None:
    """New keys would name every person anew and open nothing that is sealed; a new register knows no day. Raises StopRun."""
    keys = [settings.path(key) for key in (settings.keys.identity_key, settings.keys.master_key)]
    lost = [str(key) for key in keys if not key.exists()]
    if lost and not is_new:
        raise StopRun(f"the register has an instance whose keys are not here: restore {', '.join(lost)} from the backup")
    archive = settings.path(settings.stores.archive)
    if is_new and archive.is_dir() and any(archive.iterdir()):
        raise StopRun(
            f"{archive} holds files, but the register knows nobody: restore the register, or name another in {FILE_NAME}"
        )


def _add_first_people(tx: RegisterTx) -> None:
    for person, (name, duties) in _FIRST_PEOPLE.items():
        roles = json.dumps([str(d) for d in duties])
        tx.insert("person", {"person_id": person, "display_name": name, "roles": roles, "active": True})
        tx.audit("init", "person.add", person, {"roles": [str(d) for d in duties]})


def migrations_folder() -> Path:
    import sql

    return Path(next(iter(sql.__path__))) / "migrations"


@command
def serve_sftp() -> int:
    from connectors.drop_server import DropServer

    DropServer(load_settings(home_from_environment())).serve_forever()
    return 0


@command
def verify(
    date_: Annotated[str, typer.Option("--date", help="Only this date's outputs in the lake. 账务日期")] = "",
    file: Annotated[str, typer.Argument(help="A report's seal file. 报表封签文件")] = "",
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="The keyed store too, which is read whole. 是否核验键值库")
    ] = True,
    record: Annotated[
        bool, typer.Option("--record", help="Write down what was found; alert where something was. 登记结果")
    ] = False,
    actor: Annotated[str, typer.Option("--as", help="Who records it. 操作人", envvar="CUSTODY_ACTOR")] = SYSTEM,
    as_json: JsonOption = False,
) -> int:
    """Audit chain, committed steps, days' roots and the lake, each against the others; or one sealed report. 校验

    The chain: each event follows from the one before. Commits: each committed step stands in one event with the same
    digest, and the other way round. Decisions: each stands in an event with its maker and checker. Seals: each close is signed,
    and chain, journals and master rows are those that were signed or changed by a deed since. Cases: the open ones are the
    newest sealed breaks. Roots: each close names the digests of its date's steps and yesterday's root. Lake and archive: every
    table and file has the digest that was committed. Keyed store: count, sum and digest of each table and salt.
    """
    from jobs.verification import verify_instance
    from reports.seal import verify_seal

    if file:
        seal = Path(file)
        if not seal.is_file():
            raise UsageError(f"{file} is not a file")
        wrong = verify_seal(seal.read_bytes(), seal.parent)
        whole = "the files are what this seal says; whether the seal is the bank's, only its instance can tell (CUSTODY_HOME)"
        if os.environ.get(HOME_VARIABLE):
            with wired() as wiring:
                wrong += _stranger(wiring, seal)
            whole = "the files are what the seal says, and the seal is one that this instance committed 校验通过"
        emit({"checked": 1, "wrong": wrong}, as_json, wrong or [whole])
    else:
        with wired() as wiring:
            on = parse_date(date_) if date_ else None
            done = verify_instance(wiring, on, store, progress)
            if record:
                said = [(fault.part, fault.words) for fault in done.faults]
                today = on or custody_date_of(wiring.clock.now())
                record_verification(wiring.register, wiring.clock, actor, on, done.outputs, done.files, store, said, today)
        wrong = [fault.words for fault in done.faults]
        faults = [{"part": fault.part, "words": fault.words} for fault in done.faults]
        result = {"checked": done.outputs, "files": done.files, "wrong": wrong, "faults": faults}
        whole = f"{done.outputs} sealed outputs and {done.files} archived files are whole 校验通过"
        emit(result, as_json, [f"{fault.part}: {fault.words}" for fault in done.faults] or [whole])
    return 1 if wrong else 0


def _stranger(wiring: Wiring, seal: Path) -> list[str]:
    """A seal that no committed report output of this instance holds, byte for byte, is not ours."""
    with wiring.register.transaction() as tx:
        outputs = tx.find("step_output", step="report")
    sha256 = sha256_hex(seal.read_bytes())
    ours = [f for row in outputs for f in wiring.lake.manifest(row["path"]).files.values()]
    return [] if any(f["sha256"] == sha256 for f in ours) else [f"{seal.name} is not a seal that this instance committed"]


@command
def person_add(
    person_id: Annotated[str, typer.Argument(help="His id. 人员编号")],
    name: Annotated[str, typer.Option("--name", help="As colleagues read it. 姓名")],
    duties: Annotated[list[str], typer.Option("--duty", help="May be repeated: operator, supervisor... 岗位")],
    actor: ActorOption,
    as_json: JsonOption = False,
) -> int:
    """Let a person act, with these duties; an administrator does it. 新增人员"""
    with wired() as wiring:
        people_service.add_person(wiring.register, actor, person_id, name, duties)
    emit({"person": person_id, "duties": sorted(duties)}, as_json, [f"{person_id}: {', '.join(sorted(duties))}"])
    return 0


@command
def person_list(as_json: JsonOption = False) -> int:
    """Everybody who may act, or might once. 人员列表"""
    with wired() as wiring, wiring.register.transaction() as tx:
        rows = people_service.people(tx)
    words = [
        f"{p['person_id']:<16} {'active 在岗' if p['active'] else 'inactive 停用'}  {', '.join(p['duties']):<40} {p['display_name']}"
        for p in rows
    ]
    emit({"people": rows}, as_json, words)
    return 0
