"""By which card and phone numbers borrowers, guarantors and related parties are reached, as keyed digests alone (domain.md §8).

The numbers lie in the keyed store; what each file says of a borrower is looked up once, on the day on which it says it.
"""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema, table_of
from custody.names import Role
from custody.personal import latest
from custody.ports import Row
from jobs.compliance.columns import is_one_of, plain
from jobs.compliance.day import CONTACT_ROLES, ComplianceDay
from schemas.tables import TABLES

_FIELDS = ("card_no", "phone")
_DIGESTS = plain(arrow_schema(TABLES["contact_digests"]).empty_table()).schema


def contact_digests(day: ComplianceDay) -> pa.Table:
    """Yesterday's of accounts that are still open, with what files and decisions say today; of guarantors, who are few, also of whom
    nothing is known yet: an earlier program asked borrowers alone."""
    before = day.of_yesterday("contact_digests")
    wanted = _said_today(day)
    accounts = day.of_interest.filter(pc.is_null(day.of_interest["closed_on"]))
    says = is_one_of(accounts["role"], CONTACT_ROLES)
    said = pc.and_(says, pc.is_in(accounts["sub_account"], pa.array(sorted(wanted), pa.string())))
    of_related = pc.is_in(accounts["customer_id"], day.everybody_related)
    is_known = pc.is_in(accounts["sub_account"], before["sub_account"].combine_chunks())
    is_new = pc.and_(pc.equal(accounts["role"], str(Role.GUARANTOR)), pc.invert(is_known))
    anew = accounts.filter(pc.or_(pc.or_(said, of_related), is_new)).to_pylist()
    rows = [row for account in anew for row in _digests(day, account, wanted)]
    stays = pc.and_(
        pc.is_in(before["sub_account"], accounts["sub_account"].combine_chunks()),
        pc.invert(pc.is_in(before["sub_account"], pa.array([account["sub_account"] for account in anew], pa.string()))),
    )
    return pa.concat_tables(
        [before.filter(stays).select(_DIGESTS.names).cast(_DIGESTS), plain(table_of(TABLES["contact_digests"], rows))]
    )


def with_persons(digests: pa.Table, accounts: pa.Table) -> pa.Table:
    """Beside each digest whose it is (customer_id, role), by today's accounts."""
    return digests.join(accounts.select(["sub_account", "customer_id", "role"]), "sub_account", join_type="inner")


def _said_today(day: ComplianceDay) -> dict[str, tuple[date, str, int]]:
    """Sub-accounts of which a file or a decision says something today, and where it stands."""
    found: dict[str, tuple[date, str, int]] = {}
    landed = day.context.table(
        "land", "land_customer", columns=("party", "role", "user_no", "custody_date", "file_name", "line_no")
    )
    assert landed is not None
    for row in landed.filter(is_one_of(landed["role"], CONTACT_ROLES)).to_pylist():
        found[f"{row['party']}.{row['role']}.{row['user_no']}"] = (row["custody_date"], row["file_name"], row["line_no"])
    for row in day.context.rows("land", "decided_customers"):
        place = row["custody_date"], f"decision:{row['proposal_id']}", row["row_no"]
        found[f"{row['party']}.{row['role']}.{row['user_no']}"] = place
    return found


def _digests(day: ComplianceDay, account: Row, wanted: dict[str, tuple[date, str, int]]) -> list[Row]:
    wiring = day.context.wiring
    word = latest(wiring.persons.said(account["customer_id"]), day.today).get(account["platform"])
    if word is None:  # of whom nothing is kept any more
        return []
    source, _, line = word.sources[-1].rpartition(":")
    place = wanted.get(account["sub_account"]) or (word.on, source, int(line) if line.isdigit() else 0)
    return [
        {
            "platform": account["platform"],
            "sub_account": account["sub_account"],
            "field": field,
            "digest": wiring.secrets.index_digest(field, value),
            "since": place[0],
            "file_name": place[1],
            "line_no": place[2],
        }
        for field in _FIELDS
        if (value := word.fields.get(field))
    ]
