"""What `custody fee usage` and `custody fee amend` refuse, each with where it stands and what is wanted; and that nothing stays of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from stepping_clock import SteppingClock
from typer.testing import CliRunner

from connectors.register import SqlRegister
from console.cli import app
from custody.errors import NotPermitted, UsageError
from custody.services.fee_amendments import AMENDMENT, propose_amendment
from custody.services.fee_usages import MOST_ROWS, USAGE, propose_usage, read_usage
from custody.services.four_eyes import approve

HEADER = "used_on,component,pieces,reference\n"
P, FIRST, LAST = "P001", date(2019, 12, 28), date(2019, 12, 29)
TERMS: dict[str, Any] = {
    "valid_from": "2019-01-01", "valid_to": None, "currency": "CNY", "vat_rate": "0.06", "rounding": "half_even", "charged": "monthly",
    "charge_business_day": 1,
}  # fmt: skip


@pytest.fixture
def desk(register: SqlRegister) -> Iterator[SqlRegister]:
    """A fee officer; a platform whose fees begin with 2019, a channel; the 29th is the last date that was cut off."""
    with register.transaction() as tx:
        tx.insert("person", {"person_id": "fee1", "display_name": "f", "roles": '["fee_officer"]', "active": True})
        for party, kind in ((P, "PLATFORM"), ("C01", "CHANNEL")):
            tx.insert("party", {"party": party, "kind": kind, "name_en": party, "name_zh": party})
            tx.insert("party_status", {"party": party, "valid_from": date(1900, 1, 1), "status": "LIVE"})
            contract = json.dumps({"fee_contract": TERMS})
            tx.insert("party_contract", {"party": party, "valid_from": date(1900, 1, 1), "contract": contract})
        for number, on in enumerate((FIRST, LAST)):
            tx.insert(
                "step_output",
                {"custody_date": on, "step": "cut_off", "version": 1, "run_digest": str(number), "inputs_digest": "i", "manifest_digest": "m",
                 "path": "p", "code_digest": "c", "fence": 1, "reason": "", "committed_at": "2019-12-30T00:00:00+00:00"},
            )  # fmt: skip
    yield register


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"list.csv:1: the header is ''; write used_on,component,pieces,reference"),
        ("a,b\n", r"list.csv:1: the header is 'a,b'"),
        (HEADER, "0 rows; a list has 1 to"),
        (HEADER + "2019-12-28,sms,7\n", r"list.csv:2: 3 cells; each row has"),
        (HEADER + "28.12.2019,sms,7,r\n", r"list.csv:2: used_on is '28.12.2019'; write a date YYYY-MM-DD"),
        (HEADER + "2019-12-28,calls,7,r\n", r"list.csv:2: component is 'calls'; write one of sms, identity_check"),
        (HEADER + "2019-12-28,sms,7,r\n2019-12-28,sms,0,s\n", r"list.csv:3: pieces is '0'; write a whole number from 1"),
        (HEADER + "2019-12-28,sms,-1,r\n", "pieces is '-1'"),
        (HEADER + "2019-12-28,sms,1.5,r\n", "pieces is '1.5'"),
        (HEADER + "2019-12-28,sms,٣,r\n", "pieces is"),
        (HEADER + "2019-12-28,sms,10000000000,r\n", "pieces is '10000000000'"),
        (HEADER + "2019-12-28,sms,7,\n", r"list.csv:2: reference is ''; write 1 to 100 printable"),
        (HEADER + "2019-12-28,sms,7," + "x" * 101 + "\n", "reference is"),
        (HEADER + '2019-12-28,sms,7,"a\nb"\n', "reference is"),
        (HEADER + '2019-12-28,sms,7,"a\n', "list.csv:2: unexpected end of data: quote cells as CSV does"),
        (HEADER + "2019-12-28,sms,7,r\n2019-12-28,sms,8,r\n", r"list.csv:3: reference 'r' of sms on 2019-12-28 stands in line 2 too"),
        (HEADER + "2019-12-28,sms,7,r\n" * (MOST_ROWS + 1), f"{MOST_ROWS + 1} rows; a list has 1 to {MOST_ROWS}: split it"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_usage(text.encode(), "list.csv")


def test_a_list_in_another_encoding() -> None:
    with pytest.raises(UsageError, match="list.csv: byte 52 is not UTF-8: save the list as UTF-8"):
        read_usage((HEADER + "2019-12-28,sms,7,批").encode("gb18030"), "list.csv")
    # With the mark that spreadsheets write it is read.
    assert read_usage((HEADER + "2019-12-28,sms,7,批\n").encode("utf-8-sig"), "list.csv")[0]["reference"] == "批"


def listed(
    desk: SqlRegister, clock: SteppingClock, line: str, platform: str = P, actor: str = "fee1", name: str = "list.csv"
) -> str:
    rows = read_usage((HEADER + line).encode(), name)
    return propose_usage(desk, clock, actor, platform, name, "ab" * 32, "ref", rows, "n")


def test_a_list_that_may_not_be_let_in(desk: SqlRegister, clock: SteppingClock) -> None:
    line = f"{FIRST},sms,7,batch-1\n"
    for platform, said in (("P009", "no organisation 'P009'"), ("C01", "C01 is no platform: platforms pay fees")):
        with pytest.raises(UsageError, match=said):
            listed(desk, clock, line, platform)
    with pytest.raises(UsageError, match="list.csv:2: used_on is 2019-12-31, and today is 2019-12-30: list what was used"):
        listed(desk, clock, "2019-12-31,sms,7,batch-1\n")
    with pytest.raises(UsageError, match=r"list.csv:3: used_on is 2018-12-31, on which P001 has no fee contract"):
        listed(desk, clock, f"{line}2018-12-31,sms,7,batch-1\n")
    for nobody in ("sup1", "op1", "audit1"):
        with pytest.raises(NotPermitted):
            listed(desk, clock, line, actor=nobody)
    with desk.transaction() as tx:
        assert tx.find("proposal") == []
    approve(desk, clock, "sup1", USAGE, listed(desk, clock, line), "n")
    # What was charged once is not again, under whatever name its list comes; also where two lists wait for their second person.
    with pytest.raises(
        UsageError, match=r"again.csv:3: reference 'batch-1' of sms on 2019-12-28 was let in already, by list.csv:2"
    ):
        listed(desk, clock, f"{LAST},sms,7,batch-2\n{line}", name="again.csv")
    first, second = (listed(desk, clock, f"{LAST},sms,{pieces},batch-3\n", name=f"{pieces}.csv") for pieces in (1, 2))
    approve(desk, clock, "sup1", USAGE, first, "n")
    with pytest.raises(UsageError, match="was let in already, by 1.csv:2"):
        approve(desk, clock, "sup1", USAGE, second, "n")


@pytest.mark.parametrize(
    ("terms", "first", "last", "said"),
    [
        ({"per_sms_minor": -1}, FIRST, LAST, "per_sms_minor"),
        ({"per_call_minor": 1}, FIRST, LAST, r"wrong or missing: \['per_call_minor'\]"),
        ({"vat_rate": 0.06}, FIRST, LAST, "vat_rate must be a rate, or a list of valid_from and rate, not 0.06"),
        ({}, LAST, FIRST, "ends on 2019-12-28, before it begins on 2019-12-29"),
        ({}, FIRST, date(2019, 12, 30), "2019-12-30 is not cut off yet: from 2019-12-30 on the contract says what is paid"),
        ({}, date(1899, 12, 31), LAST, "before the first contract of P001"),
        ({"valid_from": "2019-12-29"}, FIRST, LAST, "valid from 2019-12-29 to no end: not on every day"),
        ({"valid_to": "2019-12-28"}, FIRST, LAST, "to 2019-12-28: not on every day"),
        ({"currency": "USD"}, FIRST, LAST, "currency of P001 is CNY on 2019-12-28: an amendment that reaches back cannot make it USD"),
        ({"charged": "quarterly"}, FIRST, LAST, "cycle of P001 is monthly"),
        ({"charge_business_day": 2}, FIRST, LAST, "charge_business_day of P001 is 1"),
    ],
)  # fmt: skip
def test_terms_that_cannot_reach_back(
    desk: SqlRegister, clock: SteppingClock, terms: dict[str, Any], first: date, last: date, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        propose_amendment(desk, clock, "fee1", P, TERMS | terms, first, last, "n")
    with desk.transaction() as tx:
        assert tx.find("proposal") == []


def test_who_may_not_amend_and_whom_it_cannot_concern(desk: SqlRegister, clock: SteppingClock) -> None:
    for nobody in ("sup1", "op1", "audit1"):
        with pytest.raises(NotPermitted):
            propose_amendment(desk, clock, nobody, P, TERMS, FIRST, LAST, "n")
    for platform, said in (("P009", "no organisation"), ("C01", "C01 is a channel: platforms pay fees")):
        with pytest.raises(UsageError, match=said):
            propose_amendment(desk, clock, "fee1", platform, TERMS, FIRST, LAST, "n")
    number = propose_amendment(desk, clock, "fee1", P, TERMS, FIRST, LAST, "n")
    with pytest.raises(NotPermitted):
        approve(desk, clock, "fee1", AMENDMENT, number, "my own")


@pytest.mark.parametrize(
    ("words", "body", "said"),
    [
        (["usage", "P001", "--file"], None, "no.csv: No such file"),
        (["usage", "P001", "--file"], b"\xff\n", "is not UTF-8"),
        (["amend", "P001", "--from", "2019-12-28", "--to", "2019-12-29", "--terms"], None, "a fee contract is a JSON object in UTF-8"),
        (["amend", "P001", "--from", "2019-12-28", "--to", "2019-12-29", "--terms"], b"{", "a fee contract is a JSON object in UTF-8"),
        (["amend", "P001", "--from", "2019-12-28", "--to", "2019-12-29", "--terms"], b"[1]", "holds a list: a fee contract is a JSON object"),
        (["amend", "P001", "--from", "28.12.", "--to", "2019-12-29", "--terms"], b"{}", "28.12."),
    ],
)  # fmt: skip
def test_files_that_the_command_line_refuses(tmp_path: Path, words: list[str], body: bytes | None, said: str) -> None:
    path = tmp_path / "no.csv"
    if body is not None:
        path.write_bytes(body)
    done = CliRunner().invoke(app, ["fee", *words, str(path), "--as", "fees", "--json"], env={"CUSTODY_HOME": str(tmp_path)})
    told = json.loads(done.stdout.splitlines()[-1])
    assert done.exit_code == 2 and told["error"] == "UsageError" and said in told["words"], told
