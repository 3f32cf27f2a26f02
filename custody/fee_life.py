"""What a charge of custody fees can become, and from what (domain.md §7); what is not named here cannot happen to it.

A charge says what a platform is to pay (above nothing) or to get back (below nothing). What is left of it is what it says, less what
the core collected, what was set off against it and what was written off.
"""

from __future__ import annotations

from collections.abc import Mapping

from custody.errors import StopRun

# Two people said so; it has not gone to the core yet.
APPROVED = "APPROVED"
# The core has not answered the last try.
SENT = "SENT"
# It answered, and something is left: tried again on the next bank business day.
ARREARS = "ARREARS"
# Nothing is left, of what the platform pays or of what it gets back.
COLLECTED, GIVEN_BACK = "COLLECTED", "GIVEN_BACK"
# The core took more than was left, or gave back more.
OVERPAID = "OVERPAID"
# Two people gave up what was left: no further try.
WRITTEN_OFF = "WRITTEN_OFF"

# state -> what may follow; None is before two people said so.
MOVES: Mapping[str | None, frozenset[str]] = {
    # The whole difference may be set off against what the platform has not paid yet.
    None: frozenset({APPROVED, GIVEN_BACK}),
    # What it asks may be set off before it goes out.
    APPROVED: frozenset({SENT, COLLECTED}),
    SENT: frozenset({ARREARS, COLLECTED, GIVEN_BACK, OVERPAID}),
    # The rest may come without a new try, under the number of an earlier one.
    ARREARS: frozenset({SENT, COLLECTED, GIVEN_BACK, OVERPAID, WRITTEN_OFF}),
    # The core took it once more; a try that was under way is answered.
    COLLECTED: frozenset({OVERPAID}),
    GIVEN_BACK: frozenset({OVERPAID}),
    # Two people give the surplus back.
    OVERPAID: frozenset({COLLECTED, WRITTEN_OFF}),
    # The platform paid after all: the whole of it, or more.
    WRITTEN_OFF: frozenset({COLLECTED, OVERPAID}),
}
STATES = tuple(state for state in MOVES if state is not None)
# What goes to the core when its day comes.
WAITING = (APPROVED, ARREARS)


def check_move(before: str | None, after: str, charge_no: str) -> None:
    """Staying is no move. Raises StopRun when ``after`` cannot follow: the program has lost its way, and nothing must be written on it."""
    if after != before and after not in MOVES[before]:
        raise StopRun(f"the charge {charge_no} cannot become {after} after {before or 'nothing'}")


def state_after(gross_minor: int, left_minor: int, written_off_minor: int, is_asked: bool) -> str:
    """What an answer makes of a charge. ``left_minor``: of ``gross_minor``, below nothing where it is to be given back; ``is_asked``: a
    try is still unanswered."""
    if left_minor == 0:
        if written_off_minor:
            return WRITTEN_OFF
        return COLLECTED if gross_minor > 0 else GIVEN_BACK
    if (left_minor > 0) != (gross_minor > 0):
        return OVERPAID
    return SENT if is_asked else ARREARS
