"""A loan's money is never lost or made on its path, whatever moves come."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from funds_kit import DAY, KINDS, PERSON, Draft, journal_of, move_of
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.funds_paths import CARD_DAYS, GOES_ON, MAX_HOPS, Lot, Way, is_card, trace

A_MOVE = st.tuples(
    st.integers(0, len(KINDS) - 1), st.integers(0, 4), st.integers(0, 4), st.integers(1, 40), st.sampled_from(["L1", "L2"])
)
DAYS = st.lists(st.tuples(st.integers(1, CARD_DAYS), st.lists(A_MOVE, max_size=14)), min_size=1, max_size=4)


@given(DAYS)
@settings(deadline=None)
def test_what_was_lent_is_what_ended_and_what_lies(days: list[tuple[int, list[Draft]]]) -> None:
    lent, ended, today = defaultdict[str, int](int), defaultdict[str, int](int), DAY
    held: dict[str, int] = dict.fromkeys(PERSON, 0)
    lots: list[Lot] = []
    for number, (gap, drafts) in enumerate(days, start=1):
        today += timedelta(days=gap)
        opening = dict(held)
        legs, lots = trace([move_of(row) for row in journal_of(drafts, held, number)], lots, opening, today)
        for leg in legs:
            if leg.way is Way.LENT:
                lent[leg.loan_id] += leg.amount_minor
            elif leg.way not in GOES_ON:
                ended[leg.loan_id] += leg.amount_minor
        lying = defaultdict[str, int](int)
        for lot in lots:
            lying[lot.loan_id] += lot.amount_minor
            assert 1 <= lot.hop <= MAX_HOPS and lot.at_minor >= 0
            # Nobody has more of loans' money than he has.
            assert is_card(lot.node) or lot.end_minor <= held[lot.node]
        assert all(lent[loan] == ended[loan] + lying[loan] for loan in ("L1", "L2"))
