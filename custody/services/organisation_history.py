"""One organisation with all that was decided about it, and how its last days of files went (domain.md §1, module 1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from custody.ports import RegisterTx, Row
from custody.services.acceptance import tests_of
from custody.services.contract_changes import CONTRACT
from custody.services.files import SEAL
from custody.services.organisations import ONBOARD, DatedParty, Party, standing_party
from custody.services.outbound import UNDELIVERED
from custody.services.party_contacts import CONTACT, Contact, contacts
from custody.services.party_keys import KEY, REVOKE, PartyKey, keys
from custody.services.promises import standing
from custody.services.status_changes import STATUS

# ... and of so many files that it was sent.
SHOWN_DELIVERIES = 20
# Of so many dates a view tells the files.
SHOWN_DAYS = 14
_KINDS = [kind.kind for kind in (ONBOARD, STATUS, CONTRACT, KEY, REVOKE, CONTACT)]


@dataclass(frozen=True)
class OrganisationView:
    """``dated``: the same through all its dates; ``decisions``: proposals about it, the newest first; ``files``: how many by state, for each
    of the last dates of which it sent any, the newest first; ``promised``: the same of what its contract promises; ``dialled``: what is
    known against its own host; ``owed``: files that go out and are not delivered, the oldest first; ``delivered``: the newest of those
    that are."""

    party: Party
    dated: DatedParty
    keys: list[PartyKey]
    contacts: list[Contact]
    tests: list[Row]
    decisions: list[Row]
    files: list[tuple[date, dict[str, int]]]
    promised: list[tuple[date, dict[str, int]]]
    dialled: Row | None
    owed: list[Row]
    delivered: list[Row]


def show_organisation(tx: RegisterTx, party_id: str, days: int, on: date | None = None) -> OrganisationView:
    """As it is on a custody date, or as was decided last. Raises UsageError for one that was never onboarded."""
    found = standing_party(tx, party_id)
    decisions = tx.find("proposal", ("proposed_at", "proposal_id"), subject=party_id, kind=_KINDS)
    counts: dict[date, dict[str, int]] = {}
    for (day, state), number in tx.count("file", ["custody_date", "state"], {"file_type": SEAL}, party=party_id).items():
        counts.setdefault(day, {})[state] = number
    files = sorted(counts.items(), reverse=True)[:days]
    promised = sorted(((day, states) for (_, day), states in standing(tx, party=party_id).items()), reverse=True)[:days]
    out = tx.find("outbound", ("queued_at", "file_name"), party=party_id)
    owed, others = ([row for row in out if (row["state"] in UNDELIVERED) is is_owed] for is_owed in (True, False))
    return OrganisationView(
        found.on(on),
        found,
        keys(tx, party_id),
        contacts(tx, party_id),
        tests_of(tx, party_id),
        decisions[::-1],
        files,
        promised,
        tx.get("dialled_host", party=party_id),
        owed,
        others[: -SHOWN_DELIVERIES - 1 : -1],
    )


def waiting_decisions(tx: RegisterTx) -> list[Row]:
    """Proposals about organisations that wait for a second person, in the order in which they were made."""
    return tx.find("proposal", ("proposed_at", "proposal_id"), kind=_KINDS, state="PROPOSED")
