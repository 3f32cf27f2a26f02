"""The operator's handbook knows every alert, in both languages, and names only commands that exist."""

from __future__ import annotations

import re

import pytest
import typer.main

from console.cli import app
from custody.alert_words import COMPLIANCE_WORDS, RULE_WORDS, rule_words
from custody.compliance_rules import NEEDS, Disclosure
from custody.handbook import COMPLIANCE, HANDBOOK, Entry

EVERY = {**HANDBOOK, "COMPLIANCE": COMPLIANCE}


def texts(entry: Entry) -> list[tuple[str, str]]:
    return [entry.means, *entry.steps, entry.ends]


def test_every_alert_that_has_a_name_has_its_entry() -> None:
    assert set(HANDBOOK) == set(RULE_WORDS)
    # Each rule of compliance that is named in an alert has words of its own too.
    assert {rule.lower() for rule in COMPLIANCE_WORDS} == {
        r for r, needs in NEEDS.items() if needs.disclosure is not Disclosure.AML
    }
    assert rule_words("POOLING")[1] == "资金池"


@pytest.mark.parametrize("rule", sorted(EVERY))
def test_an_entry_says_what_to_do_in_both_languages(rule: str) -> None:
    entry = EVERY[rule]
    assert entry.steps
    for english, chinese in texts(entry):
        assert english and not any("\u4e00" <= c <= "\u9fff" for c in english)
        assert any("\u4e00" <= c <= "\u9fff" for c in chinese)


def test_the_commands_that_it_names_exist() -> None:
    named = [
        found
        for entry in EVERY.values()
        for pair in texts(entry)
        for said in pair
        for found in re.findall(r"`custody ([^`]+)`", said)
    ]
    assert named
    root = typer.main.get_command(app)
    for command in named:
        at = root
        for word in command.split():
            if word.startswith("--") or not word.islower():
                break
            known = getattr(at, "commands", {})
            if not known:
                break
            assert word in known, command
            at = known[word]
        options = {name for parameter in at.params for name in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", command)) <= options, command
