"""Rules as files: the book that the program ships (schemas/rules), and a file that somebody wants to try or propose."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml

from custody.declared import BadDeclaration, Declared
from custody.errors import SettingsError, UsageError
from custody.match_rules import Rule, RuleBook, read_rule

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """Every rule of every file, read strictly. Raises SettingsError naming file, rule, field, and what to do: nobody asked for something wrong,
    the program itself is not whole."""
    folder = files("schemas").joinpath("rules")
    found: list[Rule] = []
    try:
        for resource in sorted(folder.iterdir(), key=lambda r: r.name):
            if resource.name.endswith(".yaml"):
                found += rules_of(resource.read_text(encoding="utf-8"), resource.name)
        return RuleBook.of(found).rules
    except (BadDeclaration, UnicodeDecodeError) as why:
        raise SettingsError(
            f"schemas/rules of the program cannot be used: {why}; put the file back as it was released (a rule is changed by custody rules adopt), "
            "then start the services again / 程序自带规则文件有误，请恢复发布版本后重启服务"
        ) from why


def rules_of(text: str, where: str) -> list[Rule]:
    """The entries under ``rules`` in a file's text. Raises BadDeclaration."""
    try:
        raw = yaml.load(text, _Loader)
    except yaml.YAMLError as why:
        raise BadDeclaration(f"{where}: not YAML: {why}") from None
    declared = Declared(raw, where)
    entries = declared.need("rules", list)
    declared.close()
    if not entries:
        raise BadDeclaration(f"{where}: rules lists no entry")
    return [read_rule(entry, where) for entry in entries]


def rule_file(path: Path) -> list[Rule]:
    """Raises UsageError, of which BadDeclaration is one."""
    try:
        return rules_of(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as why:
        raise UsageError(f"{path}: {why}") from why


def book_with(adopted: Iterable[Rule]) -> RuleBook:
    """The shipped book and what was adopted since. Raises BadDeclaration when they contradict each other."""
    return RuleBook.of((*shipped_rules(), *adopted))
