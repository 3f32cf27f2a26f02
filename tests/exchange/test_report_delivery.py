"""A released report over SFTP: it is fetched by its recipient, who answers by a file that the sweep for sealed files leaves alone."""

from __future__ import annotations

import hashlib
import json

from exchange_kit import DAY, TODAY, Exchange
from release_kit import KEY, REG, REPORTING

from connectors.drop_accounts import follow_register
from connectors.ssh_keys import make_key, public_key_line
from custody.calendar import custody_date_of
from custody.release_checks import ChangeTerms
from custody.release_life import APPROVED, PROPOSED
from custody.report_terms import ReleaseTerms
from custody.services.deliveries import deliver_pending
from custody.services.four_eyes import approve
from custody.services.organisations import ONBOARD, propose_party
from custody.services.releases import Draft, Handing, follow_deliveries, hand_over, move, newest, take_drafts
from custody.services.report_receipts import collect_receipts
from schemas.report_receipt import MAX_BYTES, SUFFIX, parse_receipt

NAME, DATA = "custody_monthly_2019-12_r1.zip", b"PK" + bytes(50_000)
TERMS = ReleaseTerms(KEY.report_id, "Custody report", "资金存管报告", 5, 2, True, False, frozenset(), ChangeTerms(30, 1, 1, 1))


def receipts(exchange: Exchange) -> list[tuple[str, str, str]]:
    taken, troubles = collect_receipts(exchange.ports, "system", TODAY, SUFFIX, MAX_BYTES, parse_receipt)
    assert troubles == []
    return taken


def test_a_release_goes_out_and_its_receipt_comes_in(exchange: Exchange) -> None:
    clock, register = exchange.ports.clock, exchange.register
    make_key(exchange.settings.home / "party_keys" / REG)
    key = public_key_line(exchange.settings.home / "party_keys" / REG)
    proposal = propose_party(register, clock, "wang", REG, "REPORTING", "R", "监管", REPORTING, key, "new", live_untested=True)
    approve(register, clock, "li", ONBOARD, proposal, "checked")
    follow_register(exchange.settings, register, custody_date_of(clock.now()))
    draft = Draft(KEY, TODAY, DAY, 1, "d" * 64, "p", "s_seal.json", {"x.csv": (1, "e" * 64)}, [])
    with register.transaction() as tx:
        take_drafts(tx, "system", [draft, draft])
        row = newest(tx, KEY)
        for state in (PROPOSED, APPROVED):
            move(tx, "system", row, state, {}, release_no=1)

    def keep(data: bytes) -> tuple[str, str]:
        sha256 = hashlib.sha256(data).hexdigest()
        return sha256, exchange.ports.archive.keep(data, sha256)

    handing = Handing(lambda row, before: (NAME, DATA), keep, lambda report: TERMS)
    assert hand_over(register, clock, "system", custody_date_of(clock.now()), handing) == ([NAME], [])
    assert hand_over(register, clock, "system", custody_date_of(clock.now()), handing) == ([], [])
    assert deliver_pending(exchange.ports).delivered == [f"{REG}/{NAME}"]
    assert follow_deliveries(register, "system") == [KEY.subject]
    assert exchange.outbound_bytes(REG) == {NAME: DATA}
    client = exchange.client(REG)
    assert client.get(NAME, 100_000) == DATA
    said = {"package": NAME, "sha256": hashlib.sha256(DATA).hexdigest(), "outcome": "REFUSED", "reason": "期间缺失"}
    client.put(f"{NAME}{SUFFIX}", json.dumps(said, ensure_ascii=False).encode())
    client.close()
    # What no seal names stays where it is.
    assert exchange.collect().waiting == [(REG, f"{NAME}{SUFFIX}")]
    assert receipts(exchange) == [(REG, f"{NAME}{SUFFIX}", "REFUSED")] and receipts(exchange) == []
    assert exchange.waiting(REG) == exchange.taken(REG) == []
    (row,) = exchange.rows("report_release")
    (answer,) = exchange.rows("report_delivery")
    assert (row["state"], answer["outcome"], answer["reason"]) == ("REFUSED", "REFUSED", "期间缺失")
    assert exchange.ports.archive.read(answer["receipt_ref"]) == json.dumps(said, ensure_ascii=False).encode()
    assert [one["rule"] for one in exchange.rows("alert")] == ["REPORT_REFUSED"]
