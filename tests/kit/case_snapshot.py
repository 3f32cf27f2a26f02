"""One case of each kind of break that a faulted world raises, as `custody case show` tells it: the same text on every run."""

from __future__ import annotations

import re
from pathlib import Path

from instance_kit import opened

from console.case_tables import case_lines
from console.case_view import view_case

GOLDEN = Path(__file__).parents[1] / "jobs" / "cases_of_each_kind.txt"
AGAIN = "if cases were meant to read otherwise: make freeze-cases, and read the difference"
_CUSTOMER = re.compile(r"\bC[0-9a-f]{24}\b")


def cases_of_each_kind(home: Path) -> str:
    """By kind and by what it is about (a transaction, a posting, a balance ...), the first case of each."""
    with opened(home) as instance:
        chosen: dict[tuple[str, str], str] = {}
        for row in sorted(instance.find("recon_case"), key=lambda r: (r["kind"], r["subject"], r["platform"], r["sides"])):
            chosen.setdefault((row["kind"], row["subject"].partition("|")[0]), row["case_id"])
        with instance.wiring.register.transaction() as tx:
            told = ["\n".join(case_lines(view_case(tx, case_id))) for _, case_id in sorted(chosen.items())]
    return _named_in_order("\n\n".join(told) + "\n")


def _named_in_order(text: str) -> str:
    """A customer's id follows from the instance's own key, which is another for each: the first one told of is C…01."""
    names: dict[str, str] = {}
    return _CUSTOMER.sub(lambda found: names.setdefault(found[0], f"C{len(names) + 1:024d}"), text)
