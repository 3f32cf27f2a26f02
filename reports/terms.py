"""The words of what figures are told apart by: transaction types, account kinds, break kinds … in both languages."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from custody.disclosure import FIGURE_WORDS
from custody.errors import SettingsError
from custody.names import TxnType
from custody.risk import BUCKETS
from custody.verdict_words import KIND_WORDS
from reports.catalogue import Id, Strict, Words, read_yaml
from schemas.rule_book import shipped_rules


class Terms(Strict):
    dimensions: dict[Id, dict[str, Words]]

    def words(self, dimension: str, value: str) -> Words:
        """A value that has no words of its own, such as a party's id, stands for itself."""
        return self.dimensions.get(dimension, {}).get(value) or Words(en=value or "–", zh=value or "–")


@cache
def load_terms() -> Terms:
    """Raises SettingsError when the file is wrong or a transaction type has no words."""
    text = files("reports").joinpath("terms.yaml").read_text(encoding="utf-8")
    terms = read_yaml(text, Terms, "reports/terms.yaml")
    terms = Terms(dimensions={**terms.dimensions, **_said_elsewhere()})
    wrong = sorted(set(terms.dimensions["txn_type"]) ^ set(TxnType))
    if wrong:
        raise SettingsError(f"reports/terms.yaml must name every transaction type once; wrong or missing: {wrong}")
    return terms


def _said_elsewhere() -> dict[str, dict[str, Words]]:
    """Words that the system has already, in the place where their rule stands."""
    breaks = {kind: Words(en=f"{kind}: {english}", zh=f"{kind}：{chinese}") for kind, (english, chinese) in KIND_WORDS.items()}
    disclosed = {name: Words(en=english, zh=chinese) for name, (english, chinese) in FIGURE_WORDS.items()}
    rules = {rule.rule_id: Words(en=rule.words_en, zh=rule.words_zh) for rule in shipped_rules() if rule.form == "compliance"}
    overdue = {name: Words(en=f"{name} days", zh=f"{name} 天") for _, name in BUCKETS}
    return {"break_kind": breaks, "disclosed_figure": disclosed, "compliance_rule": rules, "bucket": overdue}
