"""What becomes of a file by its sender's status and contract, as they are on the file's date and today."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from exchange_kit import CONTRACT, DAY, TODAY, Exchange, entry, file_name, seal_of

from connectors.ssh_keys import make_key, public_key_line
from custody.calendar import custody_date_of
from custody.party_status import PartyStatus
from custody.services.contract_changes import CONTRACT as CONTRACT_KIND
from custody.services.contract_changes import propose_contract
from custody.services.four_eyes import approve
from custody.services.organisations import ONBOARD, propose_party
from custody.services.status_changes import STATUS, propose_status

ONE = timedelta(days=1)
DATA = b"1\n"


def _to(exchange: Exchange, party: str, status: PartyStatus, since: date, untested: bool = False) -> None:
    clock = exchange.ports.clock
    proposal = propose_status(exchange.register, clock, "wang", party, status, "why", since, untested=untested)
    approve(exchange.register, clock, "li", STATUS, proposal, "")


def _rule(exchange: Exchange, day: date, today: date, party: str = "P001", **other: str) -> tuple[str, str]:
    name = file_name("TXN", party, day)
    exchange.send({name: DATA}, seal_of(party, entry(name, DATA, **other), day=day), party)
    result = exchange.collect(today=today)
    assert not result.troubles
    (file,) = [f for seal in result.seals for f in seal.files]
    return file.outcome, file.rule


def test_each_status_takes_files_as_it_should(builtin: Exchange) -> None:
    _to(builtin, "P001", PartyStatus.SUSPENDED, TODAY)
    assert _rule(builtin, DAY, DAY) == ("ACCEPTED", "taken")
    assert _rule(builtin, TODAY, TODAY) == ("ACCEPTED", "taken_held")
    (receipt,) = [name for name in builtin.outbound_bytes() if f"{TODAY:%Y%m%d}" in name]
    assert "暂停" in builtin.receipt(receipt)["files"][0]["words_zh"]
    # A file of an earlier date, too, while it lasts.
    name = file_name("CLAIM")
    builtin.send({name: DATA}, seal_of("P001", entry(name, DATA), batch=1, version=1, day=DAY) | {})
    assert [f.rule for seal in builtin.collect(today=TODAY).seals for f in seal.files] == ["taken_held"]
    _to(builtin, "P001", PartyStatus.WINDING_DOWN, TODAY + ONE)
    assert _rule(builtin, TODAY + ONE, TODAY + ONE) == ("ACCEPTED", "taken")
    with builtin.register.transaction() as tx:
        # A custody day has landed them.
        for row in tx.find("file", party="P001"):
            tx.update("file", {"file_name": row["file_name"]}, {"cut_off_date": row["custody_date"]})
    _to(builtin, "P001", PartyStatus.CLOSED, TODAY + 2 * ONE)
    assert _rule(builtin, TODAY + 2 * ONE, TODAY + 2 * ONE) == ("REFUSED", "party_closed")
    # Nothing more of its past, either.
    name = file_name("TXN", day=DAY - ONE)
    builtin.send({name: DATA}, seal_of("P001", entry(name, DATA), day=DAY - ONE))
    assert [f.rule for seal in builtin.collect(today=TODAY + 2 * ONE).seals for f in seal.files] == ["party_closed"]


@pytest.fixture
def newcomer(builtin: Exchange) -> Exchange:
    """P003 is being onboarded."""
    from connectors.drop_accounts import follow_register

    key = builtin.settings.home / "party_keys" / "P003"
    make_key(key)
    clock = builtin.ports.clock
    proposal = propose_party(
        builtin.register,
        clock,
        "wang",
        "P003",
        "PLATFORM",
        "P003",
        "平台",
        CONTRACT,
        public_key_line(key),
        "new",
        live_untested=False,
    )
    approve(builtin.register, clock, "li", ONBOARD, proposal, "")
    follow_register(builtin.settings, builtin.register, custody_date_of(clock.now()))
    return builtin


def test_samples_are_kept_apart_and_their_names_stay_free(newcomer: Exchange) -> None:
    assert _rule(newcomer, DAY, TODAY, "P003") == ("SAMPLE", "taken_sample")
    assert _rule(newcomer, DAY, TODAY, "P003") == ("SAMPLE", "taken_sample")
    # A corrected sample comes under its name again.
    name = file_name("TXN", "P003", DAY)
    newcomer.send({name: b"2\n"}, seal_of("P003", entry(name, b"2\n")), "P003")
    assert [f.rule for seal in newcomer.collect().seals for f in seal.files] == ["taken_sample"]
    assert _rule(newcomer, DAY - ONE, TODAY, "P003", layout="platform_txn/9") == ("REFUSED", "unknown_layout")
    _to(newcomer, "P003", PartyStatus.LIVE, TODAY, untested=True)
    assert _rule(newcomer, DAY, TODAY, "P003") == ("REFUSED", "party_not_live")
    # What was a sample may be the day's own file, byte for byte.
    assert _rule(newcomer, TODAY, DAY, "P003") == ("REFUSED", "future_date")
    assert _rule(newcomer, TODAY, TODAY, "P003") == ("ACCEPTED", "taken")


def test_a_sample_becomes_the_days_own_file_once_its_sender_is_live_on_that_day(newcomer: Exchange) -> None:
    assert _rule(newcomer, TODAY, TODAY, "P003") == ("SAMPLE", "taken_sample")
    _to(newcomer, "P003", PartyStatus.LIVE, TODAY, untested=True)
    assert _rule(newcomer, TODAY, TODAY, "P003") == ("ACCEPTED", "taken")


def test_a_file_is_judged_by_the_contract_of_its_own_date(builtin: Exchange) -> None:
    clock = builtin.ports.clock
    other = {**CONTRACT, "encoding": "gb18030", "layouts": {"TXN": ["platform_txn/1"]}, "file_types": ["TXN"]}
    proposal = propose_contract(builtin.register, clock, "wang", "P001", other, TODAY, "their new system writes GB18030")
    approve(builtin.register, clock, "li", CONTRACT_KIND, proposal, "")
    assert _rule(builtin, TODAY, TODAY) == ("REFUSED", "encoding")
    assert _rule(builtin, TODAY + ONE, TODAY + ONE, encoding="gb18030") == ("ACCEPTED", "taken")
    # A late file of before the change is what it always was.
    assert _rule(builtin, DAY, TODAY) == ("ACCEPTED", "taken")
