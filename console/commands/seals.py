"""``custody seal``: the bank's keys by which the days' roots are signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.output import ActorOption, JsonOption, NoteOption, command, emit, emit_proposal, parse_date, wired
from custody.errors import UsageError
from custody.services.access import check_permission
from custody.services.seal_keys import SEAL_KEY, allowed_signers, propose_seal_key, seal_keys


def add_seals(app: typer.Typer) -> None:
    group = typer.Typer(help="The keys by which the days' roots are signed. 日终根签名密钥", no_args_is_help=True)
    group.command("signers")(signers)
    group.command("propose")(propose)
    app.add_typer(group, name="seal")


@command
def signers(as_json: JsonOption = False) -> int:
    """The public keys with the custody dates that each signs, as ssh-keygen -Y verify reads them: give it to who checks. 签名公钥清单

    Who checks needs it from the bank, by another way than the proof itself.
    """
    with wired() as wiring, wiring.register.transaction() as tx:
        keys = seal_keys(tx, wiring.seals.first())
    shown = [{"public_key": key.public_key, "valid_from": key.valid_from} for key in keys]
    emit({"keys": shown}, as_json, allowed_signers(keys).splitlines())
    return 0


@command
def propose(
    from_: Annotated[str, typer.Option("--from", help="First custody date that it signs. 启用账务日")],
    actor: ActorOption,
    note: NoteOption,
    public: Annotated[
        str, typer.Option("--public", help="A public key whose private key lies in the folder already. 已有公钥文件")
    ] = "",
    as_json: JsonOption = False,
) -> int:
    """Propose the next key; another person approves it. Without --public a new one is made here, readable by its owner alone. 更换签名密钥"""
    since = parse_date(from_)
    with wired() as wiring:
        check_permission(wiring.register, actor, SEAL_KEY.propose_action, "day-root")
        if not public:
            line = wiring.seals.make_key(f"from-{since}")
        elif Path(public).is_file():
            line = Path(public).read_text(encoding="utf-8")
        else:
            raise UsageError(f"{public} is not a file")
        proposal = propose_seal_key(wiring.register, wiring.clock, actor, line, since, note)
    emit_proposal(proposal, as_json)
    return 0
