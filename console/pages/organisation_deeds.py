"""What a person does about an organisation: proposes a change of status, contract, key or contact, and decides on another's proposal.

Each is one posted form, checked as console.pages.asking has it, and one call of the service that the command line calls too; then the
reader is sent back to the organisation's page.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from connectors.bootstrap import Wiring
from connectors.drop_accounts import follow_register
from console.pages.asking import FormDep, UserDep, approves, asked, date_of, wired
from console.pages.contract_form import contract_of
from console.pages.organisations import Refused, address, organisation_page
from custody.calendar import custody_date_of
from custody.errors import UsageError
from custody.party_status import PartyStatus
from custody.services import party_contacts, party_keys
from custody.services.contract_changes import CONTRACT, propose_contract
from custody.services.four_eyes import approve, reject
from custody.services.organisations import standing_party
from custody.services.party_contacts import CONTACT, Contact
from custody.services.party_keys import KEY, REVOKE
from custody.services.status_changes import STATUS, propose_status

router = APIRouter()

# What is decided here; an onboarding makes accounts and papers, on the command line.
_KINDS = {kind.kind: kind for kind in (STATUS, CONTRACT, KEY, REVOKE, CONTACT)}
# What may let somebody in to the drop, or lock him out.
_OF_LOGINS = frozenset({STATUS.kind, KEY.kind, REVOKE.kind})


@router.post("/organisation-status", response_class=RedirectResponse)
def status(user: UserDep, form: FormDep) -> RedirectResponse:
    """Another status from a date on."""
    said = form.get("status", "")
    with asked(user, STATUS.propose_action, form.get("party", "")[:20]) as wiring:
        if said not in list(PartyStatus):
            raise UsageError("choose a status / 请选择状态")
        propose_status(
            wiring.register,
            wiring.clock,
            user.get_name(),
            form.get("party", ""),
            PartyStatus(said),
            form.get("note", ""),
            _date(form, "since"),
            untested=form.get("untested") == "yes",
            books=wiring.books,
        )
    return _back(form)


@router.post("/organisation-contract", response_model=None)
def contract(request: Request, user: UserDep, form: FormDep) -> HTMLResponse | RedirectResponse:
    """Another version of its contract from a date on; one that cannot be is shown again, with what is wrong beside each field."""
    name = form.get("party", "")
    with asked(user, CONTRACT.propose_action, name[:20]) as wiring:
        with wiring.register.transaction() as tx:
            of = standing_party(tx, name).on(None)
        said, faults = contract_of(of.kind, of.contract, form)
        if not faults:
            note, since = form.get("note", ""), _date(form, "since")
            try:
                propose_contract(wiring.register, wiring.clock, user.get_name(), name, said, since, note)
            except UsageError as error:
                faults = [str(error)]
        if faults:
            return organisation_page(request, wiring, user.get_name(), name, None, Refused(form, faults))
    return _back(form)


@router.post("/organisation-key", response_class=RedirectResponse)
def key(user: UserDep, form: FormDep) -> RedirectResponse:
    """A log-in key, beside the others or in the place of one of them."""
    with asked(user, KEY.propose_action, form.get("party", "")[:20]) as wiring:
        found = party_keys.ssh_key(form.get("key", ""))
        if found is None:
            raise UsageError(f"that is not one line of an OpenSSH {party_keys.SSH_TYPE} public key / 不是合法的 OpenSSH 公钥")
        today = custody_date_of(wiring.clock.now())
        party_keys.propose_key(
            wiring.register,
            wiring.clock,
            user.get_name(),
            form.get("party", ""),
            found,
            _date(form, "since") or today,
            _date(form, "until"),
            form.get("note", ""),
            form.get("replaces") or None,
            _date(form, "replaces_until"),
        )
    return _back(form)


@router.post("/organisation-key-revoke", response_class=RedirectResponse)
def revoke(user: UserDep, form: FormDep) -> RedirectResponse:
    """A key is locked out now; another person makes it final."""
    with wired(user) as wiring:
        party, fingerprint, note = form.get("party", ""), form.get("fingerprint", ""), form.get("note", "")
        party_keys.propose_revocation(wiring.register, wiring.clock, user.get_name(), party, fingerprint, note)
        _follow(wiring)
    return _back(form)


@router.post("/organisation-contact", response_class=RedirectResponse)
def contact(user: UserDep, form: FormDep) -> RedirectResponse:
    """Who is called in a role, or that nobody is any more."""
    party, role, note = form.get("party", ""), form.get("role", ""), form.get("note", "")
    rank = int(form["rank"]) if form.get("rank", "").isdecimal() and len(form["rank"]) < 3 else 0
    with asked(user, CONTACT.propose_action, party[:20]) as wiring:
        if form.get("answer") == "remove":
            party_contacts.propose_removal(wiring.register, wiring.clock, user.get_name(), party, role, rank, note)
        else:
            said = Contact(role, rank, form.get("name", ""), form.get("phone", ""), form.get("mail", ""))
            party_contacts.propose_contact(wiring.register, wiring.clock, wiring.secrets, user.get_name(), party, said, note)
    return _back(form)


@router.post("/organisation-contacts", response_class=HTMLResponse)
def reveal(request: Request, user: UserDep, form: FormDep) -> HTMLResponse:
    """The page with its contacts in clear, which is recorded; nothing of them is in an address or stays in a cache."""
    party = form.get("party", "")
    with wired(user) as wiring:
        clear = party_contacts.reveal_contacts(wiring.register, wiring.secrets, user.get_name(), party)
        return organisation_page(request, wiring, user.get_name(), party, clear)


@router.post("/organisation-decide", response_class=RedirectResponse)
def decision(user: UserDep, form: FormDep) -> RedirectResponse:
    """Approve or reject, as the button says that was pressed."""
    proposal = form.get("proposal", "")
    # Whatever is decided of an organisation takes the same duty.
    with asked(user, CONTRACT.approve_action, proposal[:40]) as wiring:
        service = approve if approves(form) else reject
        with wiring.register.transaction() as tx:
            row = tx.get("proposal", proposal_id=proposal, subject=form.get("party", ""))
        if row is None or row["kind"] not in _KINDS:
            raise UsageError(f"no proposal {proposal[:20]!r} that is decided here / 无此提案")
        service(wiring.register, wiring.clock, user.get_name(), _KINDS[row["kind"]], proposal, form.get("note", ""))
        if row["kind"] in _OF_LOGINS:
            _follow(wiring)
    return _back(form)


def _follow(wiring: Wiring) -> None:
    """The drop's log-ins follow what was decided. Where that takes root, it raises what an administrator has to run: the decision stands,
    and the scheduler brings it about."""
    follow_register(wiring.settings, wiring.register, custody_date_of(wiring.clock.now()))


def _date(form: dict[str, str], name: str) -> date | None:
    """None where nothing is said. Raises UsageError for what is no date."""
    said = form.get(name, "")
    found = date_of(said) if said else None
    if said and found is None:
        raise UsageError(f"{said[:20]!r} is not a date YYYY-MM-DD / 日期格式应为 YYYY-MM-DD")
    return found


def _back(form: dict[str, str]) -> RedirectResponse:
    return RedirectResponse(address(form.get("party", "")) + "#deeds", 303)
