"""What a draft of a report can become, and from what: one table of allowed moves (domain.md §9). What is not named here cannot happen.

| state | means |
|---|---|
| DRAFT | sealed by a report step, nobody has asked for its release |
| PROPOSED | its checks hold, what stands out is explained; a second person decides |
| REJECTED | turned down; it may be proposed again |
| REPLACED | a newer draft of the same report and period was sealed before this one was released |
| APPROVED | released by two people; not handed over yet |
| SENT | handed over to every recipient's delivery, with the package's digest |
| DELIVERED | lies with every recipient, read back there |
| ACCEPTED, REFUSED | what the recipients' receipts say; one refusal refuses |
| CORRECTED | a later version of it was approved: that one counts |
"""

from __future__ import annotations

from collections.abc import Mapping

from custody.file_life import check_step

DRAFT, PROPOSED, REJECTED, REPLACED = "DRAFT", "PROPOSED", "REJECTED", "REPLACED"
APPROVED, SENT, DELIVERED = "APPROVED", "SENT", "DELIVERED"
ACCEPTED, REFUSED, CORRECTED = "ACCEPTED", "REFUSED", "CORRECTED"

# state -> what may follow; None is before the draft was known.
RELEASE_LIFE: Mapping[str | None, frozenset[str]] = {
    None: frozenset({DRAFT}),
    DRAFT: frozenset({PROPOSED, REPLACED}),
    PROPOSED: frozenset({APPROVED, REJECTED, REPLACED}),
    REJECTED: frozenset({PROPOSED, REPLACED}),
    REPLACED: frozenset(),
    APPROVED: frozenset({SENT, CORRECTED}),
    # A receipt may be here before we could say that the file is delivered.
    SENT: frozenset({DELIVERED, ACCEPTED, REFUSED, CORRECTED}),
    DELIVERED: frozenset({ACCEPTED, REFUSED, CORRECTED}),
    # What was refused by mistake may be taken after all; what was taken may turn out to be unusable.
    ACCEPTED: frozenset({REFUSED, CORRECTED}),
    REFUSED: frozenset({ACCEPTED, CORRECTED}),
    CORRECTED: frozenset(),
}
STATES = tuple(str(state) for state in RELEASE_LIFE if state is not None)
# Nobody outside has seen it.
UNRELEASED = (DRAFT, PROPOSED, REJECTED)
# Two people released it and it is what counts.
RELEASED = (APPROVED, SENT, DELIVERED, ACCEPTED, REFUSED)
# What a reader outside the bank may see.
PUBLISHED = (*RELEASED, CORRECTED)


def check_move(before: str | None, after: str, what: str) -> None:
    """Raises StopRun when ``after`` cannot follow."""
    check_step(RELEASE_LIFE, before, after, what)
