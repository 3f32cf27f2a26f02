"""Properties of unfaulted worlds, checked on the generated files alone."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from world_reader import Replay, Row, World

from custody.calendar import SettlementCalendar
from custody.identity_numbers import is_identity_number, is_uscc

BANK_ONLY = {"CHANNEL_SETTLEMENT", "CHANNEL_FEE_TOPUP", "OWN_FUNDS_MOVEMENT"}


def test_every_party_sends_every_file_every_day_and_all_parse(world: World) -> None:
    for parsed in world.parsed.values():
        assert (parsed.faults, parsed.file_faults) == ([], [])
    expected = {(p["party"], t, day) for p in world.about["parties"] for t in p["file_types"] for day in world.dates}
    assert set(world.tables) == expected
    assert len(world.dates) == world.about["days"]


def test_event_times_lie_in_the_custody_date(world: World) -> None:
    for day in world.dates:
        assert {row["event_time"].date() for row in world.tables["GW", "INSTRUCTION", day]} <= {day}


def test_request_numbers_are_unique(world: World) -> None:
    keys = [(r["request_no"], r["leg"]) for day in world.dates for r in world.tables["GW", "INSTRUCTION", day]]
    assert len(keys) == len(set(keys))


def test_platform_claims_exactly_what_was_instructed(world: World) -> None:
    """Each platform movement stands in the TXN file of its day, or of the next when it is just before midnight."""
    late = 0
    for platform in world.parties("PLATFORM"):
        claimed = {(r["request_no"], r["leg"]): (day, r) for day in world.dates for r in world.tables[platform, "TXN", day]}
        true = {
            (r["request_no"], r["leg"]): (day, r)
            for day in world.dates
            for r in world.instructions(day, platform)
            if r["txn_type"] not in BANK_ONLY
        }
        assert claimed.keys() == true.keys()
        for key, (filed_on, row) in claimed.items():
            day, instruction = true[key]
            assert all(instruction[name] == value for name, value in row.items() if name != "line_no")
            if filed_on != day:
                late += 1
                assert filed_on - day == timedelta(days=1)
                assert (row["event_time"].hour, row["event_time"].minute >= 50) == (23, True)
    assert late >= (len(world.dates) - 1) // 2


def test_replayed_movements_give_the_balances(world: World) -> None:
    """Both from INSTRUCTION and from TXN by event date; nothing is overdrawn; frozen = open holds; books balance."""
    for platform in world.parties("PLATFORM"):
        by_date: dict[date, list[Row]] = defaultdict(list)
        for day in world.dates:
            for row in world.tables[platform, "TXN", day]:
                by_date[row["event_time"].date()].append(row)
        from_txn, from_instructions, own = Replay(), Replay(), 0
        for day in world.dates:
            for row in sorted(by_date[day], key=lambda r: (r["event_time"], r["request_no"], r["leg"])):
                from_txn.apply(row)
            for row in world.instructions(day, platform):
                from_instructions.apply(row)
                if row["txn_type"] == "OWN_FUNDS_MOVEMENT":
                    own += row["amount_minor"]
                elif row["txn_type"] in ("PLATFORM_RECHARGE", "CHANNEL_FEE_TOPUP"):
                    own -= row["amount_minor"]
            filed = {
                (r["role"], r["user_no"]): (r["available_minor"], r["frozen_minor"])
                for r in world.tables[platform, "BALANCE", day]
            }
            non_zero = {holder: both for holder, both in filed.items() if both != (0, 0)}
            assert non_zero == from_instructions.balances() == from_txn.balances()
            assert sum(frozen for _, frozen in filed.values()) == sum(from_instructions.holds.values())
            assert {("PLATFORM", "P_MARKETING"), ("PLATFORM", "P_INCOME")} < filed.keys()
            core = {b["account"]: b for b in world.core[day]["balance"]}
            liabilities = sum(available + frozen for available, frozen in filed.values())
            custody = liabilities + from_instructions.payable - from_instructions.receivable
            assert core[f"{platform}:CUSTODY"]["closing_minor"] == custody
            assert core[f"{platform}:OWN"]["closing_minor"] == own >= 0


def test_core_balances_chain_and_follow_the_flows(world: World) -> None:
    closing: dict[str, int] = defaultdict(int)
    for day in world.dates:
        moved: dict[str, int] = defaultdict(int)
        refs = [(flow["account"], flow["core_ref"]) for flow in world.core[day]["flow"]]
        assert len(refs) == len(set(refs))
        for flow in world.core[day]["flow"]:
            moved[flow["account"]] += flow["amount_minor"]
            assert (flow["custody_date"], flow["booked_at"][:10]) == (day.isoformat(), day.isoformat())
        for balance in world.core[day]["balance"]:
            account = balance["account"]
            assert balance["opening_minor"] == closing[account]
            assert balance["closing_minor"] == balance["opening_minor"] + moved[account]
            closing[account] = balance["closing_minor"]


def test_channels_settle_each_request_once_on_the_next_business_day(world: World) -> None:
    calendar = SettlementCalendar()
    traded, settled = {}, {}
    for day in world.dates:
        for row in world.tables["GW", "INSTRUCTION", day]:
            if row["txn_type"] in ("RECHARGE", "WITHDRAW"):
                direction = "IN" if row["txn_type"] == "RECHARGE" else "OUT"
                traded[row["request_no"]] = (row["platform"], row["channel"], direction, row["amount_minor"], day)
        batches: dict[str, list[Row]] = defaultdict(list)
        for channel in world.parties("CHANNEL"):
            rows = world.tables[channel, "SETTLEMENT", day]
            assert not rows or calendar.is_business_day(day)
            for row in rows:
                assert row["settlement_batch"] == f"{channel}{row['platform']}{day:%Y%m%d}{row['direction'][0]}"
                assert row["settle_date"] == day == calendar.next_business_day(row["trade_date"])
                assert row["request_no"] not in settled
                settled[row["request_no"]] = (row["platform"], channel, row["direction"], row["gross_minor"], row["trade_date"])
                quarter_per_cent = (Decimal(row["gross_minor"]) / 400).quantize(Decimal(1), ROUND_HALF_EVEN)
                assert row["fee_minor"] == (max(1, int(quarter_per_cent)) if row["direction"] == "IN" else 0)
                assert row["net_minor"] == row["gross_minor"] - row["fee_minor"]
                batches[row["settlement_batch"]].append(row)
        instructed = {
            r["settlement_batch"]: r for r in world.tables["GW", "INSTRUCTION", day] if r["txn_type"] == "CHANNEL_SETTLEMENT"
        }
        topped_up = {
            r["settlement_batch"]: r for r in world.tables["GW", "INSTRUCTION", day] if r["txn_type"] == "CHANNEL_FEE_TOPUP"
        }
        cash = {flow["core_ref"]: flow["amount_minor"] for flow in world.core[day]["flow"] if flow["account"].endswith("CUSTODY")}
        assert instructed.keys() == batches.keys()
        for batch, rows in batches.items():
            gross, fee, inward = sum(r["gross_minor"] for r in rows), sum(r["fee_minor"] for r in rows), batch.endswith("I")
            assert (instructed[batch]["amount_minor"], instructed[batch]["fee_minor"]) == (gross, fee)
            assert cash[batch] == (gross - fee if inward else -gross)
            assert (topped_up[batch]["amount_minor"] if inward else 0) == fee
    last = world.dates[-1]
    assert settled == {k: v for k, v in traded.items() if calendar.next_business_day(v[4]) <= last}


def test_only_settled_money_is_withdrawn(world: World) -> None:
    """Unsettled money stays so in the next owner's hands; here it always moves first: the receiver's worst case."""
    calendar = SettlementCalendar()
    for platform in world.parties("PLATFORM"):
        unsettled: dict[object, dict[date, int]] = defaultdict(lambda: defaultdict(int))
        total: dict[object, int] = defaultdict(int)
        for day in world.dates:
            for row in world.instructions(day, platform):
                kind, amount = row["txn_type"], row["amount_minor"]
                payer, payee = (row["from_role"], row["from_user_no"]), (row["to_role"], row["to_user_no"])
                if kind == "RECHARGE":
                    unsettled[payee][calendar.next_business_day(day)] += amount
                    total[payee] += amount
                elif kind == "PLATFORM_RECHARGE":
                    total[payee] += amount
                elif kind in ("TENDER_SETTLE", "REPAYMENT", "COMMISSION", "MARKETING"):
                    total[payer] -= amount
                    total[payee] += amount
                    left = amount
                    for settle_date in sorted(unsettled[payer], reverse=True):
                        moved = min(left, unsettled[payer][settle_date])
                        unsettled[payer][settle_date] -= moved
                        unsettled[payee][settle_date] += moved
                        left -= moved
                elif kind == "WITHDRAW":
                    waiting = sum(v for settle_date, v in unsettled[payer].items() if settle_date > day)
                    # A hold set aside before a later recharge is settled money; the rest must cover what still waits.
                    assert total[payer] - waiting >= amount
                    total[payer] -= amount


def test_loans_claims_and_repayments(world: World) -> None:
    for platform in world.parties("PLATFORM"):
        funded: dict[str, int] = defaultdict(int)
        held: dict[str, int] = defaultdict(int)
        disbursed_on: dict[str, date] = {}
        claims: dict[str, dict[str, int]] = defaultdict(dict)
        commissions: list[tuple[str, date]] = []
        for day in world.dates:
            loans = {row["loan_id"]: row for row in world.tables[platform, "LOAN", day]}
            frozen: dict[str, int] = {}
            repayments: dict[str, list[Row]] = defaultdict(list)
            for row in world.instructions(day, platform):
                kind, loan_id, amount = row["txn_type"], row["loan_id"], row["amount_minor"]
                assert (loan_id is not None) == (kind.startswith(("TENDER", "REPAY")) or kind == "COMMISSION")
                if kind == "TENDER_FREEZE":
                    held[loan_id] += amount
                elif kind == "TENDER_CANCEL":
                    held[loan_id] -= amount
                elif kind == "TENDER_SETTLE":
                    funded[loan_id] += amount
                    disbursed_on[loan_id] = day
                    claims[loan_id][row["related_request_no"]] = amount
                    assert row["to_user_no"] == loans[loan_id]["borrower_user_no"]
                elif kind == "REPAY_FREEZE":
                    frozen[row["request_no"]] = amount
                elif kind == "REPAYMENT":
                    assert amount == row["principal_minor"] + row["interest_minor"] and row["penalty_minor"] == 0
                    repayments[row["request_no"]].append(row)
                elif kind == "COMMISSION":
                    commissions.append((loan_id, day))
            for legs in repayments.values():
                _check_repayment(legs, claims[legs[0]["loan_id"]], frozen[legs[0]["related_request_no"]])
            for loan_id, row in loans.items():
                _check_loan(row, held[loan_id], funded[loan_id], disbursed_on.get(loan_id), claims[loan_id])
            filed = {row["claim_id"]: (row["loan_id"], row["principal_minor"]) for row in world.tables[platform, "CLAIM", day]}
            live = {cid: (loan_id, p) for loan_id, own in claims.items() for cid, p in own.items() if p > 0}
            assert filed == live
        assert all(day > disbursed_on[loan_id] for loan_id, day in commissions)


def _check_repayment(legs: list[Row], claims: dict[str, int], frozen: int) -> None:
    """Legs are one per claim in the order of claim ids, split by largest remainder; the claims sink by the principal."""
    live = [claim_id for claim_id in sorted(claims) if claims[claim_id] > 0]
    assert [leg["leg"] for leg in legs] == list(range(1, len(live) + 1))
    assert sum(leg["amount_minor"] for leg in legs) == frozen
    whole = sum(claims.values())
    for part in ("principal_minor", "interest_minor"):
        total = sum(leg[part] for leg in legs)
        exact = [Fraction(total * claims[claim_id], whole) for claim_id in live]
        ranked = sorted(range(len(live)), key=lambda i: (-(exact[i] % 1), live[i]))
        extra = set(ranked[: total - sum(int(share) for share in exact)])
        assert [leg[part] for leg in legs] == [int(share) + (i in extra) for i, share in enumerate(exact)]
    for claim_id, leg in zip(live, legs, strict=True):
        claims[claim_id] -= leg["principal_minor"]


def _check_loan(row: Row, held: int, funded: int, disbursed_on: date | None, claims: dict[str, int]) -> None:
    assert row["disbursed_on"] == disbursed_on
    assert row["raised_minor"] == held <= row["amount_minor"]
    if disbursed_on is not None:
        assert funded == row["amount_minor"] == held
        owed = sum(claims.values())
        assert row["state"] in ("DISBURSED", "REPAYING", "OVERDUE", "SETTLED")
        assert (row["state"] == "SETTLED") == (owed == 0)
    elif row["state"] == "MISCARRIED":
        assert held == 0
    else:
        assert row["state"] == ("FULL" if held == row["amount_minor"] else "BIDDING")


def test_customers_carry_valid_numbers_and_some_are_on_two_platforms(world: World) -> None:
    platforms = world.parties("PLATFORM")
    people = {}
    for platform in platforms:
        rows = world.tables[platform, "CUSTOMER", world.dates[0]]
        people[platform] = {row["id_no"] for row in rows}
        assert len(people[platform]) == len(rows)
        for row in rows:
            assert is_identity_number(row["id_no"]) if row["id_type"] == "ID" else is_uscc(row["id_no"])
        assert all(world.tables[platform, "CUSTOMER", day] == [] for day in world.dates[1:])
    if len(platforms) > 1:
        assert len(people["P001"] & people["P002"]) == 3
