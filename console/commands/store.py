"""``custody store``: the keyed store against the lake, and made anew from it."""

from __future__ import annotations

from typing import Annotated

import typer

from console.output import ActorOption, JsonOption, command, emit, parse_date, progress, wired
from custody.counting import counted


def add_store(app: typer.Typer) -> None:
    store = typer.Typer(help="The keyed store: proved against the lake, made anew from it. 键值库", no_args_is_help=True)
    store.command("verify")(store_verify)
    store.command("rebuild")(store_rebuild)
    app.add_typer(store, name="store")


@command
def store_verify(
    date_: Annotated[str, typer.Option("--date", help="Only this date's rows. 账务日期")] = "",
    as_json: JsonOption = False,
) -> int:
    """Count, sum and digest of each table and salt against what was sealed; the rows that differ by their keys. 核验键值库

    The whole store is read, of one date too: the owner stands first in its keys.
    """
    from jobs.store_proof import store_faults

    with wired() as wiring:
        faults = list(store_faults(wiring, parse_date(date_) if date_ else None))
    wrong = [{"rule": f.rule, **f.figures, "words_en": f.words[0], "words_zh": f.words[1]} for f in faults]
    words = [" ".join(f.words) for f in faults]
    emit({"wrong": wrong}, as_json, words or ["the keyed store holds what the lake says 键值库与数据湖一致"])
    return 1 if wrong else 0


@command
def store_rebuild(
    actor: ActorOption,
    reason: Annotated[str, typer.Option("--reason", help="Why it is made anew. 重建原因")],
    as_json: JsonOption = False,
) -> int:
    """Empty the ledger's tables and project every committed day again from the lake; then compare. 重建键值库

    Customers and their index are kept: they are not found again from the lake. Nobody reads the ledger's part meanwhile. A run
    that was ended is gone on with by the same command. After a change of the store's schema version this is what makes it fit.
    """
    from jobs.store_rebuild import rebuild

    with wired() as wiring:
        done = rebuild(wiring, actor, reason, progress)
    wrong = [fault.words[0] for fault in done.faults]
    words = [" ".join(fault.words) for fault in done.faults]
    told = f"{counted(done.days, 'day')} projected, up to {done.up_to or '-'}; the keyed store holds what the lake says 重建完成，与数据湖一致"
    emit({"up_to": done.up_to, "days": done.days, "wrong": wrong}, as_json, words or [told])
    return 1 if wrong else 0
