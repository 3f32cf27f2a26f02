"""A wrong booking on an e-account, from the parties' files in the drop to the page of its case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from instance_kit import GO_LIVE, make_instance, make_world, opened
from pages_kit import Desk, read

from custody.masking import mask_user_numbers
from custody.ports import Row
from simulator.simulate import FaultRequest

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

FAULTS = [FaultRequest("e_account_amount", 1, GO_LIVE, "P001"), FaultRequest("e_account_other", 1, GO_LIVE, "P001")]


@pytest.fixture(scope="module")
def faulted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("e_account")
    world = make_world(folder / "world", FAULTS, seed=3, platforms=1, days=1, e_account_platform=1)
    home = make_instance(folder / "home", world)
    with opened(home) as instance:
        instance.deliver(world, GO_LIVE)
        instance.run_day(GO_LIVE)
    return home


@pytest.fixture
def own_desk(pages: TestClient, faulted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    yield from Desk.at(pages, faulted, monkeypatch)


def cases(desk: Desk) -> list[Row]:
    with opened(desk.home) as instance:
        return instance.find("recon_case", state="OPEN")


def test_the_page_shows_both_sides_the_cores_key_and_masks_the_owner(own_desk: Desk) -> None:
    found = cases(own_desk)
    listed = read(own_desk.get("cases").text)
    assert {row["kind"] for row in found} == {"AMOUNT", "WRONG_ACCOUNT", "INV_01"}
    assert {f"case?id={row['case_id']}" for row in found} <= set(listed.links)
    for kind in ("AMOUNT", "WRONG_ACCOUNT"):
        (row,) = [r for r in found if r["kind"] == kind and r["subject"].startswith("EFLOW|")]
        shown = read(own_desk.get("case", id=row["case_id"]).text)
        assert "B ledger" in shown.text and "C core, channel" in shown.text and "C 核心/渠道" in shown.text
        # Where the core has the row: account, date and sequence behind the salt.
        assert "core_flow/" in shown.text and f"|{GO_LIVE:%Y%m%d}" in shown.text and "core:P001" in shown.text
        # The request leads to all that is known of it; its owner's number is masked wherever it stands.
        request = row["subject"].split("|")[2].removesuffix("#COUPON")
        assert any("transaction" in link and request in link for link in shown.links)
        with opened(own_desk.home) as instance:
            accounts = [a["sub_account"] for a in instance.lake_rows(GO_LIVE, "post", "sub_accounts")]
        assert not [a for a in accounts if a in shown.text or a in listed.text]


def test_a_balance_stands_in_one_case_with_what_all_three_say(own_desk: Desk) -> None:
    row = next(r for r in cases(own_desk) if r["subject"].startswith("E_BALANCE|P001."))
    shown = read(own_desk.get("case", id=row["case_id"]).text)
    assert all(side in shown.text for side in ("A platform", "B ledger", "C core, channel"))
    assert "core_balance/" in shown.text and "balance_by_account/" in shown.text and "日终余额" in shown.text
    assert mask_user_numbers(row["subject"]) in shown.text and row["subject"] not in shown.text
    # It ends with the movement's case, which it names.
    assert "follows" in shown.text
