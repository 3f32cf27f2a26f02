"""A drop into which sweep after sweep cannot look: an alert of its own, which closes itself once it can be read again.

Nothing of such a party is called missing meanwhile (promises), so without it nobody would hear of files that cannot reach us. A host that
stopped for good is an alert already, of another rule (dialling).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from custody.calendar import CHINA, custody_date_of
from custody.digest import digest_of_json
from custody.ports import Clock, Register, Row
from custody.risk_alerts import Severity
from custody.services.alerts import end_alert, put_alert
from custody.texts import text

DROP_UNREAD = "DROP_UNREAD"
# In the place of a party: our own server as a whole.
OUR_DROP = "drop"
# One sweep that fails is usual: a host is restarted, a line is cut.
SWEEPS = 3


def note_looks(register: Register, clock: Clock, actor: str, unread: Mapping[str, str], looked: Collection[str]) -> None:
    """After a sweep: into whose drop it could not look, and why, and into whose it could. Others stay as they are."""
    with register.transaction() as tx:
        known = {row["party"]: row for row in tx.find("unread_drop")}
        now = clock.now().astimezone(CHINA)
        for party, why in sorted(unread.items()):
            before = known.get(party) or {"since": now.isoformat(timespec="microseconds"), "sweeps": 0}
            row: Row = {"since": before["since"], "sweeps": before["sweeps"] + 1, "last_reason": why}
            if tx.update("unread_drop", {"party": party}, row) == 0:
                tx.insert("unread_drop", {"party": party, **row})
            host = tx.get("dialled_host", party=party)
            if row["sweeps"] >= SWEEPS and not (host is not None and host["stopped"]):
                figures = {"party": party, "sweeps": row["sweeps"], "since": _minute(row["since"]), "why": why}
                words = text("alert_our_drop_unread" if party == OUR_DROP else "alert_drop_unread", figures)
                platform = "" if party == OUR_DROP else party
                put_alert(tx, actor, DROP_UNREAD, party, custody_date_of(now), words, Severity.HIGH, platform, row["since"])
        for party in sorted(known.keys() & set(looked)):
            row = known[party]
            alert_id = digest_of_json([DROP_UNREAD, party, row["since"]])
            over = text("drop_read_again", {"sweeps": row["sweeps"], "since": _minute(row["since"])})
            end_alert(tx, actor, now.isoformat(timespec="microseconds"), alert_id, over)
            tx.delete("unread_drop", party=party)


def _minute(moment: str) -> str:
    """As people read it."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"
