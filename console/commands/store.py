"""``custody store``: the keyed store against the lake, and made anew from it."""

from __future__ import annotations

from typing import Annotated

import typer

from console.output import JsonOption, command, emit, parse_date, wired


def add_store(app: typer.Typer) -> None:
    store = typer.Typer(help="The keyed store: proved against the lake, made anew from it. 键值库", no_args_is_help=True)
    store.command("verify")(store_verify)
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
