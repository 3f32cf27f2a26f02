"""What a case says to people is in both languages, and an amount is read as one."""

from __future__ import annotations

import ast
from pathlib import Path

import custody
from console.case_view import cell
from custody.case_life import CaseEvent
from custody.case_words import SUMS, column_words, detail_words, field_words


def test_figures_of_an_invariant_are_read_in_yuan_and_in_both_languages() -> None:
    assert cell("core", 114_293_613) == "1,142,936.13"
    assert cell("movements", 10) == "10" and cell("flow_rows", 7) == "7"
    assert all(english and chinese for english, chinese in map(field_words, SUMS))


# Figures that are no sums: dates and names.
_NO_SUMS = {"account", "channel", "date", "due_on", "expected_on", "kind", "payee", "payer", "placed_on", "received_on", "since", "status",
            "tendered_on", "txn_type", "until"}  # fmt: skip


def test_every_figure_that_an_invariant_tells_has_words() -> None:
    """By the keys of the dictionaries in which these modules put figures together."""
    told: set[str] = set()
    for name in ("invariants", "life_invariants", "settlement", "core_chain", "ageing"):
        tree = ast.parse(Path(custody.__path__[0], f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict) and node.keys and all(isinstance(key, ast.Constant) for key in node.keys):
                told |= {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
    assert len(told) > 30
    assert told - set(SUMS) == _NO_SUMS


def test_the_rows_of_a_platforms_own_ledger_say_what_they_are_to_each_other() -> None:
    titles = column_words("SHADOW|LENDER.u1", ["A", "A", "A"])
    assert len(set(titles)) == 3 and all("A" in english and chinese for english, chinese in titles)
    assert column_words("TXN|R1|1", ["A", "B"]) == (("A platform", "A 平台"), ("B ledger", "B 账簿"))


def test_events_are_told_in_both_languages() -> None:
    opened = detail_words(CaseEvent.OPENED, {"kind": "FEE", "severity": "LOW", "due_on": "2020-01-06"})
    assert opened == "FEE 手续费与合同不符, severity 级别 low 低, due 限期 2020-01-06"
    assert detail_words(CaseEvent.SEVERITY, {"before": "LOW", "after": "HIGH"}) == "low 低 → high 高"
