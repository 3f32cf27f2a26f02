"""Making an instance, and looking after it: init, the drop server, verification."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from connectors.settings import FILE_NAME, INITIAL, home_from_environment, load_settings
from console.output import DateOption, JsonOption, command, emit, parse_date, progress, wired
from custody.errors import UsageError
from custody.permissions import Duty

# The demo's people; a bank's own come from its directory. None of them may approve his own work.
_FIRST_PEOPLE = {
    "admin": ("Administrator 系统管理员", [Duty.ADMINISTRATOR]),
    "maker": ("Operator 经办", [Duty.OPERATOR, Duty.REPORT_OFFICER]),
    "checker": ("Supervisor 复核", [Duty.SUPERVISOR]),
    "auditor": ("Auditor 审计", [Duty.AUDITOR]),
}


def add_instance(app: typer.Typer) -> None:
    app.command("init", help="Make an instance: settings, keys, register, first people. 初始化")(init)
    app.command("serve-sftp", help="Serve the SFTP drop on this machine. 启动 SFTP 收件服务")(serve_sftp)
    app.command("verify", help="Check seals, chains and the lake; or a released report against its seal. 校验")(verify)


@command
def init(
    bank: Annotated[str, typer.Option("--bank", help="The custodian bank's name. 银行名称")],
    go_live: Annotated[str, typer.Option("--go-live", help="First custody date, YYYY-MM-DD. 首个账务日")],
    sftp_port: Annotated[int, typer.Option("--sftp-port", help="Port of the SFTP drop. 端口")],
    as_json: JsonOption = False,
) -> int:
    from alembic import command as alembic
    from alembic.config import Config

    from connectors.drop_accounts import make_server_keys
    from connectors.secrets import make_key_file
    from connectors.ssh_keys import pin_host

    home = home_from_environment()
    home.mkdir(parents=True, exist_ok=True)
    path = home / FILE_NAME
    if path.exists():
        raise UsageError(f"{path} exists already: this folder is an instance")
    body = INITIAL.format(bank=json.dumps(bank)[1:-1], go_live=parse_date(go_live).isoformat(), sftp_port=sftp_port)
    path.write_text(body, encoding="utf-8")
    settings = load_settings(home)
    for key in (settings.keys.identity_key, settings.keys.master_key):
        make_key_file(settings.path(key))
    make_server_keys(settings)
    sftp = settings.sftp
    pin_host(settings.path(sftp.known_hosts), sftp.host, sftp.port, settings.path(sftp.host_key))
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.set_main_option("sqlalchemy.url", settings.register_url)
    alembic.upgrade(config, "head")
    with wired() as wiring, wiring.register.transaction() as tx:
        for person, (name, duties) in _FIRST_PEOPLE.items():
            roles = json.dumps([str(d) for d in duties])
            tx.insert("person", {"person_id": person, "display_name": name, "roles": roles, "active": True})
            tx.audit("init", "person.add", person, {"roles": [str(d) for d in duties]})
    made = ["settings.toml", "keys/", "register.db", f"people: {', '.join(_FIRST_PEOPLE)}"]
    emit({"home": str(home), "made": made}, as_json, [f"{home}: made {', '.join(made)}"])
    return 0


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
    date_: DateOption = "",
    file: Annotated[str, typer.Argument(help="A report's seal file. 报表封签文件")] = "",
    as_json: JsonOption = False,
) -> int:
    """Every committed output against its manifest, the audit chain, the days' roots; or one sealed report."""
    from custody.audit import first_broken
    from reports.seal import verify_seal

    wrong: list[str] = []
    checked = 0
    if file:
        seal = Path(file)
        if not seal.is_file():
            raise UsageError(f"{file} is not a file")
        wrong += verify_seal(seal.read_bytes(), seal.parent)
        checked = 1
    else:
        only: date | None = parse_date(date_) if date_ else None
        with wired() as wiring:
            with wiring.register.transaction() as tx:
                outputs = tx.find("step_output")
                broken = first_broken(tx.find("audit_event", order_by=["event_no"]))
            if broken is not None:
                wrong.append(f"audit chain: event {broken} does not follow from the one before")
            for row in outputs:
                if only is None or row["custody_date"] == only:
                    progress(f"{row['custody_date']} {row['step']} v{row['version']}")
                    wrong += wiring.lake.verify(row["path"], row["manifest_digest"])
                    checked += 1
    emit({"checked": checked, "wrong": wrong}, as_json, wrong or [f"{checked} sealed outputs are whole 校验通过"])
    return 1 if wrong else 0
