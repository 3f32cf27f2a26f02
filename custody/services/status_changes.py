"""Changes of an organisation's status: allowed moves only, from a custody date that was not cut off, by two people, with a reason.

It goes live with a passed acceptance test, or without one for a reason that both people stand for. It closes when nothing stands
with it any more: no money, no claim, nothing on its way, no case, no file. What the sealed books say of that is bound to the day that
was looked at: once another day has begun, it is looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from custody.counting import counted
from custody.errors import UsageError
from custody.file_life import IN_FORCE, RESTATEMENT_PENDING
from custody.names import PartyKind
from custody.party_status import PartyStatus, moves
from custody.ports import Clock, Register, RegisterTx
from custody.services.acceptance import check_passed
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.services.organisations import Party, check_only_gateway, first_open_date, standing_party
from custody.services.outputs import days_begun, latest_seal


@dataclass(frozen=True)
class Standing:
    """What the sealed books of ``on`` say that stands with a party, in words; ``digest`` of the posting they are of. No day: None."""

    on: date | None
    digest: str | None
    words: tuple[str, ...]


class Books(Protocol):
    def standing(self, party: str, kind: str) -> Standing:
        """By the newest day that was posted."""


def propose_status(
    register: Register,
    clock: Clock,
    actor: str,
    party_id: str,
    status: PartyStatus,
    note: str,
    since: date | None = None,
    *,
    untested: bool = False,
    books: Books | None = None,
) -> str:
    """Propose that an organisation has another status from ``since`` on (None: the first custody date that is not cut off yet).

    ``untested``: it goes live without a passed acceptance test, for the reason that ``note`` says. ``books`` are asked when it is to be
    closed. Raises UsageError saying why it may not; NotPermitted.
    """
    if not note.strip():
        raise UsageError("a change of status needs a reason")
    with permitted_transaction(register, actor, STATUS.propose_action, party_id) as tx:
        kind = str(standing_party(tx, party_id).row["kind"])
        since = since or first_open_date(tx)
    payload: dict[str, object] = {"status": str(status), "since": since.isoformat()}
    if untested:
        payload["untested"] = True
    if status == PartyStatus.CLOSED and books is not None:
        found = books.standing(party_id, kind)
        if found.words:
            raise UsageError(f"{party_id} cannot be closed by the books of {found.on}: {'; '.join(found.words)}")
        payload["books"] = None if found.on is None else [found.on.isoformat(), found.digest]
    with permitted_transaction(register, actor, STATUS.propose_action, party_id) as tx:
        _check(tx, party_id, payload)
    return propose(register, clock, actor, STATUS, party_id, payload, note)


def _check(tx: RegisterTx, party_id: str, payload: Mapping[str, Any]) -> date:
    """Returns its first date. Asked at the proposal and again at its approval: a day may have begun between, a gateway gone live."""
    # A proposal of before statuses had dates says none.
    since = date.fromisoformat(payload["since"]) if "since" in payload else first_open_date(tx)
    status = PartyStatus(payload["status"])
    if since < first_open_date(tx):
        raise UsageError(f"{since} was cut off already: the earliest date from which a status may hold is {first_open_date(tx)}")
    of = standing_party(tx, party_id)
    if later := [one["valid_from"] for one in of.statuses if one["valid_from"] > since]:
        raise UsageError(f"something was decided of {party_id} from {later[0]} on already: what comes before it stays as it is")
    before = of.on(since)
    allowed = moves(before.kind, before.status)
    if status not in allowed:
        ways = " or ".join(sorted(allowed)) or "nothing: that is its end"
        raise UsageError(f"{party_id} is {before.status} on {since}, from which it may become {ways}, not {status}")
    if status == PartyStatus.LIVE and before.kind == PartyKind.GATEWAY:
        check_only_gateway(tx, party_id, since)
    if status == PartyStatus.LIVE and before.status == PartyStatus.ONBOARDING and not payload.get("untested"):
        check_passed(tx, before)
    if status == PartyStatus.CLOSED and before.status != PartyStatus.ONBOARDING:
        _check_nothing_stands(tx, before, since, payload)
    return since


def _check_nothing_stands(tx: RegisterTx, of: Party, since: date, payload: Mapping[str, Any]) -> None:
    cases = tx.find("recon_case", platform=of.party, state="OPEN")
    if cases:
        raise UsageError(f"{of.party} has {len(cases)} open cases, {cases[0]['case_id'][:12]} among them: they are settled first")
    files = [f for f in tx.find("file", party=of.party, state=[*IN_FORCE, RESTATEMENT_PENDING]) if f["cut_off_date"] is None]
    if files:
        raise UsageError(
            f"{counted(len(files), 'file')} of {of.party} not landed yet, {files[0]['file_name']} among them: a custody day lands them first"
        )
    begun = days_begun(tx)
    if not begun:
        return
    if since != first_open_date(tx):
        raise UsageError(
            f"{of.party} is closed from the day after the one that was looked at, {first_open_date(tx)}, not from {since}"
        )
    newest = latest_seal(tx, begun[-1], "post")
    if newest is None:
        raise UsageError(f"{begun[-1]} is not posted yet: what stands with {of.party} is not known")
    if payload.get("books") != [newest.custody_date.isoformat(), newest.manifest_digest]:
        raise UsageError(f"the books of {begun[-1]} are not those that were looked at: propose again, so that they are")


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    since = _check(tx, subject, payload)
    place = {"party": subject, "valid_from": since}
    if tx.update("party_status", place, {"status": payload["status"]}) == 0:
        tx.insert("party_status", {**place, "status": payload["status"]})


STATUS = DecisionKind("party_status", "party.propose", "party.approve", _apply)
