"""One case, two cases: in code and in texts that are data."""

from __future__ import annotations

from string import Formatter

import pytest

from custody.compliance import WORDS
from custody.counting import counted, told
from custody.fee_words import component_words
from custody.names import TxnType
from custody.risk_alerts import RULES as RISK


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 cases"), (1, "1 case"), (2, "2 cases"), (-1, "-1 cases"), (1_200, "1,200 cases")]
)
def test_one_is_one(number: int, said: str) -> None:
    assert counted(number, "case") == said
    assert told("{n:#case}", {"n": number}) == told("{n:#case}", {"n": str(number)}) == said


def test_a_plural_of_its_own() -> None:
    assert (counted(1, "party", "parties"), counted(2, "party", "parties")) == ("1 party", "2 parties")
    assert told("of {n:#batch/batches} in {where}, {much:,}", {"n": 3, "where": "x", "much": 1000}) == "of 3 batches in x, 1,000"


def test_what_is_no_count_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        told("{n:#case}", {"n": "some"})


def test_both_languages_are_filled_from_the_same_figures() -> None:
    def asked(text: str) -> set[str]:
        """A figure that is itself in words has a name of its own in Chinese."""
        return {name.removesuffix("_zh") for _, name, _, _ in Formatter().parse(text) if name}

    for texts in (WORDS, {rule: said.words for rule, said in RISK.items()}):
        for rule, (english, chinese) in texts.items():
            assert asked(english) == asked(chinese), rule


@pytest.mark.parametrize("txn_type", list(TxnType))
def test_a_component_of_a_fee_names_its_transactions_in_chinese(txn_type: str) -> None:
    for kind in ("transaction", "volume"):
        english, chinese = component_words(f"{kind}.{txn_type}")
        assert txn_type in english and not any(letter.isascii() for letter in chinese)
