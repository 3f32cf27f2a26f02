"""What a file can become, and from what: the states of the register of files and the steps between them (domain.md §5).

Two things have a life there. A *content* is the bytes that came, or are announced, under one name; a *promise* is a file that
contract and calendar expect, whichever content keeps it. What is not named here cannot happen to either.
"""

from __future__ import annotations

from collections.abc import Mapping

from custody.errors import StopRun

# Of a content. A seal names it, its bytes are on their way;
ANNOUNCED = "ANNOUNCED"
# ... its bytes are archived;
LANDED = "LANDED"
# ... they are what the seal says. That is said in its history only: what follows from it is decided in the same breath.
CHECKED = "CHECKED"
# In force: a day lands it.
ACCEPTED = "ACCEPTED"
# Taken after the cut-off of its custody date: a later day's landing takes it up.
LATE = "LATE"
REFUSED = "REFUSED"
QUARANTINED = "QUARANTINED"
RESTATEMENT_PENDING = "RESTATEMENT_PENDING"
SUPERSEDED = "SUPERSEDED"
# Of an organisation that is being onboarded: kept to be tested, never landed.
SAMPLE = "SAMPLE"

# Of a promise besides: its file is not here yet; is here, in time; is here, after it was called missing (LATE); two people
# decided that it will not come.
EXPECTED = "EXPECTED"
ARRIVED = "ARRIVED"
MISSING = "MISSING"
GIVEN_UP = "GIVEN_UP"

# What a day lands.
IN_FORCE = (ACCEPTED, LATE)
# What somebody has to look at: the sender, or two people here.
UNSETTLED = (REFUSED, QUARANTINED, RESTATEMENT_PENDING)
# Not judged yet, or to be judged anew when it comes again.
NOT_HELD = (ANNOUNCED, LANDED, REFUSED, SAMPLE)
# The name is used up: other bytes under it are quarantined.
TAKEN = (ACCEPTED, LATE, RESTATEMENT_PENDING, SUPERSEDED)

# state -> what may follow; None is before anything was known.
CONTENT: Mapping[str | None, frozenset[str]] = {
    # Without an announcement of its own: what came is not the content that its seal names, or it is none of the sender's to name.
    None: frozenset({ANNOUNCED, LANDED, REFUSED}),
    ANNOUNCED: frozenset({LANDED, REFUSED}),
    LANDED: frozenset({CHECKED, REFUSED, QUARANTINED}),
    # It may be an OpenPGP message that cannot be trusted.
    CHECKED: frozenset({ACCEPTED, LATE, RESTATEMENT_PENDING, REFUSED, QUARANTINED, SAMPLE}),
    # Landing may find it unusable as a whole; two people may put a newer version in its place.
    ACCEPTED: frozenset({REFUSED, SUPERSEDED}),
    LATE: frozenset({REFUSED, SUPERSEDED}),
    RESTATEMENT_PENDING: frozenset({ACCEPTED, LATE}),
    # The version that had taken its place was refused by landing.
    SUPERSEDED: frozenset({ACCEPTED, LATE}),
    # The sender may send it again, whole this time.
    REFUSED: frozenset({ANNOUNCED, LANDED, REFUSED}),
    # A message that was not trusted comes again, and its key has been registered since.
    QUARANTINED: frozenset({LANDED}),
    # It may be sent again, and once its sender is live it may be the day's own.
    SAMPLE: frozenset({LANDED, REFUSED}),
}
PROMISE: Mapping[str | None, frozenset[str]] = {
    None: frozenset({EXPECTED}),
    EXPECTED: frozenset({ARRIVED, LATE, MISSING, GIVEN_UP}),
    MISSING: frozenset({LATE, GIVEN_UP}),
    # Landing refused what had come: it is waited for anew.
    ARRIVED: frozenset({EXPECTED}),
    LATE: frozenset({EXPECTED}),
    # It came after all.
    GIVEN_UP: frozenset({LATE}),
}


def check_step(life: Mapping[str | None, frozenset[str]], before: str | None, after: str, what: str) -> None:
    """Raises StopRun when ``after`` cannot follow: the program has lost its way, and nothing must be written on it."""
    if after not in life[before]:
        raise StopRun(f"{what} cannot become {after} after {before or 'nothing'}")
