"""The pages of fees: a charge is found, decided on by another person, and shows what it was computed from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from instance_kit import GO_LIVE, opened
from pages_kit import Desk, read

from console.fee_view import fee_period
from custody.calendar import month_end
from custody.money import format_amount
from custody.services.fee_amendments import propose_amendment
from custody.services.fee_charges import Charge, propose_charge
from custody.services.fee_periods import Period, rated_periods
from custody.services.fee_usages import propose_usage, read_usage
from custody.services.outputs import latest_seal

if TYPE_CHECKING:
    from httpx import Response

P = "P001"


def proposed(desk: Desk) -> tuple[Charge, str]:
    """A charge of the days that there are."""
    with opened(desk.home) as instance:
        wiring = instance.wiring
        with wiring.register.transaction() as tx:
            seal = latest_seal(tx, GO_LIVE, "fees")
        assert seal is not None
        period = fee_period(wiring, P, f"{GO_LIVE:%Y-%m}")
        with wiring.register.transaction() as tx:
            rated_periods(tx, seal, [Period(P, period.state, GO_LIVE)])
        charge = Charge(
            P, f"{GO_LIVE:%Y-%m}", "CNY", period.state.net_minor, period.state.vat_minor, period.whole, GO_LIVE, seal.manifest_digest,
            month_end(GO_LIVE),
        )  # fmt: skip
        return charge, propose_charge(wiring.register, wiring.clock, "fees", charge, "December so far")


def test_a_charge_is_found_decided_and_explained(desk: Desk) -> None:
    charge, proposal = proposed(desk)
    listed = read(desk.get("fees", state="PROPOSED").text)
    assert [row[0] for row in listed.tables[0][1:]] == [charge.charge_no]
    assert f"fee?id={charge.charge_no}" in listed.links
    assert len(read(desk.get("fees", platform="P002").text).tables) == 1  # its position alone
    shown = read(desk.get("fee", id=charge.charge_no).text)
    components = {row[0].split()[0]: row[1].replace(",", "") for row in shown.tables[0][1:]}
    assert components["balance"] == format_amount(charge.components["balance"])
    assert components["gross"] == format_amount(charge.gross_minor)
    (day,) = shown.tables[-1][1:]
    assert day[0] == GO_LIVE.isoformat() and "1.5 per mille / 365" in day[2] and "按余额" in day[2]
    # Its maker has no form to decide with; another person has, and decides.
    assert get_as(desk, "fees", charge.charge_no).text.count("fee-decide") == 0
    assert get_as(desk, "zhang", charge.charge_no).status_code == 403
    assert get_as(desk, "checker", "P009-2019-12").status_code == 404
    assert get_as(desk, "checker", charge.charge_no).text.count("fee-decide") == 1
    form = {"id": charge.charge_no, "proposal": proposal, "note": "checked", "answer": "approve"}
    desk.who = "fees"
    assert desk.post("fee-decide", **form).status_code == 403
    # What is not due cannot be proposed.
    assert desk.post("fee-propose", id="P009-2019-12", note="x").status_code == 404
    desk.who = "checker"
    assert desk.post("fee-decide", **form).headers["location"] == f"fee?id={charge.charge_no}#decisions"
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        row = tx.get("fee_charge", charge_no=charge.charge_no)
        assert row is not None and row["state"] == "APPROVED"
    the_rest_is_written_off(desk, charge)


def the_rest_is_written_off(desk: Desk, charge: Charge) -> None:
    """In arrears a form proposes that, another person's form decides it; a charge that was paid has neither."""
    number = charge.charge_no
    assert "fee-write-off" not in get_as(desk, "fees", number).text
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        tx.update("fee_charge", {"charge_no": number}, {"state": "ARREARS", "collected_minor": 1})
    assert "fee-write-off" not in get_as(desk, "checker", number).text
    assert "fee-write-off" in get_as(desk, "fees", number).text
    assert desk.post("fee-give-back", id=number, note="x").status_code == 400
    assert desk.post("fee-write-off", id=number, note="insolvent").status_code == 303
    assert "fee-write-off" not in get_as(desk, "fees", number).text
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        (open_,) = tx.find("proposal", kind="fee_write_off", subject=number)
    desk.who = "checker"
    form = {"id": number, "proposal": open_["proposal_id"], "kind": "fee_write_off", "note": "agreed", "answer": "approve"}
    assert desk.post("fee-decide", **(form | {"kind": "other"})).status_code == 404
    assert desk.post("fee-decide", **form).status_code == 303
    shown = get_as(desk, "checker", number).text
    assert "written off" in shown and format_amount(charge.gross_minor - 1) in shown


def get_as(desk: Desk, who: str, charge_no: str) -> Response:
    desk.who = who
    return desk.get("fee", id=charge_no)


def test_usage_and_terms_wait_for_another_person_and_are_shown_by_component(desk: Desk) -> None:
    """``morning`` has cut off the two dates of the list."""
    listed = b"used_on,component,pieces,reference\n2019-12-30,sms,1200,a\n2019-12-31,sms,34,b\n2019-12-31,identity_check,5,c\n"
    with opened(desk.home) as instance:
        register, clock = instance.wiring.register, instance.wiring.clock
        with register.transaction() as tx:
            terms = json.loads(tx.find("party_contract", party=P)[0]["contract"])["fee_contract"]
        rows = read_usage(listed, "december.csv")
        usage = propose_usage(register, clock, "fees", P, "december.csv", "ab" * 32, "ref", rows, "counted")
        amended = propose_amendment(register, clock, "fees", P, terms | {"per_sms_minor": 7}, GO_LIVE, GO_LIVE, "agreed")
    desk.who = "fees"
    shown = read(desk.get("fees", platform=P).text)
    assert "december.csv: 3 rows" in shown.text and "per_sms_minor 7" in shown.text
    assert "fee-decide" not in desk.get("fees").text and "Another person decides" in shown.text
    desk.who = "checker"
    assert desk.get("fees").text.count('action="fee-decide"') == 2
    refused = {"kind": "fee_amendment", "proposal": amended, "note": "n", "answer": "reject"}
    assert desk.post("fee-decide", **refused).headers["location"] == "fees"
    assert desk.post("fee-decide", kind="fee_usage", proposal=usage, note="n", answer="approve").headers["location"] == "fees"
    of_usage = next(table for table in read(desk.get("fees", platform=P).text).tables if table[0][0].startswith("month"))
    assert [(row[0], row[1], row[2].split(" ")[0], *row[3:]) for row in of_usage[1:]] == [
        ("2019-12", P, "identity", "5", "0", "1"),
        ("2019-12", P, "text", "1,234", "0", "1"),
    ]
    assert "None was let in" in read(desk.get("fees", platform="P002").text).text
