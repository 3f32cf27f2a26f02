"""``custody metrics``: how the system is, for Prometheus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from console.output import command, wired


def add_metrics(app: typer.Typer) -> None:
    app.command("metrics")(metrics)


@command
def metrics(
    out: Annotated[
        str, typer.Option("--out", help="A file, replaced whole: for node_exporter's textfile collector. 输出文件")
    ] = "",
) -> int:
    """Files, rows, breaks, lag, durations and what waits, in Prometheus' text format. 监控指标"""
    from console.metrics import metrics_text

    with wired() as wiring:
        text = metrics_text(wiring)
    if not out:
        sys.stdout.write(text.decode())
        return 0
    # The collector never reads half a file.
    path = Path(out)
    staged = path.with_name(f".{path.name}.new")
    staged.write_bytes(text)
    staged.replace(path)
    return 0
