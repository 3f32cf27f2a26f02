"""Rules about what a platform does: its lending, guaranteeing, pooling, inventing, and paying old lenders with new money (domain.md §8).

As in custody.compliance_money, each function may be given only the rows that could concern it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import date, timedelta

from custody.compliance import BASIS_POINTS, Behind, Figures, Finding, Source
from custody.compliance_borrowers import FIELDS, contact_rows
from custody.ports import Row

Related = Mapping[str, Set[str]]
_NEAR = FIELDS | {"identity": ("identity number", "证件号")}


def super_lenders(
    days: Iterable[Row], figures: Figures, today: date, sales: Iterable[Row] = (), lent: Iterable[Row] = ()
) -> Iterator[Finding]:
    """Who lends much and sells it on in many sales; and, where the rule names ``buyers``, who splits among many what he lent all but alone.
    ``days``: accounts' days as in custody.compliance_money, with ``sold_minor`` and ``sold_count`` (claims assigned away). ``sales``: the
    window's assignments as in ``packaged``, with ``on``; ``lent``: platform, loan_id, ``since``, ``funded_minor``, customer_id and
    ``principal_minor``, which he still holds of it."""
    found = {(finding.platform, finding.subject): finding for finding in _sellers(days, figures, today)}
    if "buyers" in figures:
        for finding in _splitters(sales, lent, figures, today):
            found.setdefault((finding.platform, finding.subject), finding)
    yield from (found[key] for key in sorted(found))


def _sellers(days: Iterable[Row], figures: Figures, today: date) -> Iterator[Finding]:
    first = today - timedelta(days=figures["days"] - 1)
    of: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in days:
        if first <= row["on"] <= today:
            of[row["platform"], row["customer_id"]].append(row)
    for (platform, customer), rows in sorted(of.items()):
        lent, sold, sales = (sum(row[name] for row in rows) for name in ("lent_minor", "sold_minor", "sold_count"))
        if lent >= figures["lent_minor"] and sold * BASIS_POINTS >= lent * figures["sold_bp"] and sales >= figures["sales"]:
            said: dict[str, int | str] = {"lent_minor": lent, "sold_minor": sold, "sales": sales, "days": figures["days"]}
            said |= {"split": "", "split_zh": ""}
            behind = tuple(
                Behind(Source.SALE, platform, row["account"], row["posted_on"], row["sold_minor"])
                for row in sorted(rows, key=lambda row: (row["on"], row["posted_on"], row["account"]))
                if row["sold_minor"]
            )
            yield Finding("super_lender", platform, customer, "", sold, said, behind)


def _splitters(sales: Iterable[Row], lent: Iterable[Row], figures: Figures, today: date) -> Iterator[Finding]:
    """A loan counts that was lent within the days, of which he had so great a share, and of which two or more bought parts: who leaves
    sells a claim to one. What he had of it is what he holds and what he sold."""
    first = today - timedelta(days=figures["days"] - 1)
    of: dict[tuple[str, str], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in sales:
        if first <= row["on"] <= today:
            of[row["platform"], row["seller"]][row["loan_id"]].append(row)
    loans = {(row["platform"], row["customer_id"], row["loan_id"]): row for row in lent if row["since"] and row["since"] >= first}
    for (platform, seller), by_loan in sorted(of.items()):
        had, rows = 0, list[Row]()
        for loan_id, sold in sorted(by_loan.items()):
            loan = loans.get((platform, seller, loan_id))
            share = sum(row["amount_minor"] for row in sold) + (loan["principal_minor"] if loan else 0)
            is_his = loan is not None and share * BASIS_POINTS >= loan["funded_minor"] * figures["alone_bp"]
            if is_his and len({row["buyer"] for row in sold}) > 1:
                had, rows = had + share, rows + sold
        total, buyers = sum(row["amount_minor"] for row in rows), len({row["buyer"] for row in rows})
        if buyers >= figures["buyers"] and total >= figures["split_minor"]:
            number = len({row["loan_id"] for row in rows})
            said: dict[str, int | str] = {"lent_minor": had, "sold_minor": total, "sales": len(rows), "days": figures["days"]}
            said["split"] = f", in parts to {buyers} buyers, of {number} loans that he lent all but alone"
            said["split_zh"] = f"（其几乎独自出借的 {number} 笔标的拆分转让给 {buyers} 人）"
            behind = tuple(
                Behind(Source.ENTRY, platform, row["account"], row["on"], row["amount_minor"], row["entry_no"])
                for row in sorted(rows, key=lambda row: (row["on"], row["entry_no"]))
            )
            yield Finding("super_lender", platform, seller, "", total, said, behind)


def packaged(moves: Iterable[Row], figures: Figures, today: date) -> Iterator[Finding]:
    """``moves``: today's posted assignments: platform, seller and buyer (customer ids), account (the seller's), loan_id, amount_minor,
    entry_no. A package is what one seller passes to one buyer of so many loans on one day: who leaves sells his claims one by one to
    whoever bids, and who buys many at once by a mandate buys them of many. Where the rule names ``few``, so few loans are a package too
    if nearly all that he sold on the day went that way."""
    of: dict[tuple[str, str], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in moves:
        of[row["platform"], row["seller"]][row["buyer"]].append(row)
    for (platform, seller), by_buyer in sorted(of.items()):
        least, least_minor = figures["loans"], figures["minor"]
        rows = _in_pieces(by_buyer, least)
        if "few" in figures and sum(row["amount_minor"] for row in rows) < least_minor:
            least, least_minor = figures["few"], figures["few_minor"]
            rows = _in_pieces(by_buyer, least)
            sold_minor = sum(row["amount_minor"] for sold in by_buyer.values() for row in sold)
            if sum(row["amount_minor"] for row in rows) * BASIS_POINTS < sold_minor * figures["share_bp"]:
                continue
        total = sum(row["amount_minor"] for row in rows)
        if rows and total >= least_minor:
            said = {
                "loans": len({row["loan_id"] for row in rows}),
                "on": today.isoformat(),
                "sold_minor": total,
                "buyers": len({row["buyer"] for row in rows}),
                "least": least,
            }
            ordered = sorted(rows, key=lambda row: row["entry_no"])
            behind = tuple(
                Behind(Source.ENTRY, platform, row["account"], today, row["amount_minor"], row["entry_no"]) for row in ordered
            )
            yield Finding("packaged_assignment", platform, seller, today.isoformat(), total, said, behind)


def _in_pieces(by_buyer: Mapping[str, list[Row]], least: int) -> list[Row]:
    return [row for sold in by_buyer.values() if len({row["loan_id"] for row in sold}) >= least for row in sold]


@dataclass(frozen=True)
class Waiting:
    """What waits on a platform: ``idle_minor`` of ``lenders`` lenders has lain longer than the rule's days; ``lent_minor``: outstanding
    loans. ``rows``: those who have most."""

    platform: str
    idle_minor: int
    lenders: int
    lent_minor: int
    rows: tuple[Behind, ...]


def pooled(waiting: Iterable[Waiting], figures: Figures) -> Iterator[Finding]:
    for one in waiting:
        much = one.idle_minor * BASIS_POINTS >= one.lent_minor * figures["share_bp"]
        if one.idle_minor and much and one.lenders >= figures["lenders"]:
            said = {"idle_minor": one.idle_minor, "lenders": one.lenders, "lent_minor": one.lent_minor, "days": figures["days"]}
            yield Finding("pooling", one.platform, one.platform, "", one.idle_minor, said, one.rows)


def new_for_old(days: Iterable[Row], legs: Iterable[Row], figures: Figures, today: date) -> Iterator[Finding]:
    """``days``: of platforms ``on``, ``repaid_minor`` and, of that, ``repaid_by_new_minor`` that came out of other loans; ``legs``: the ways
    of the money that did (``on``, platform, other_loan, entry_no, amount_minor)."""
    first = today - timedelta(days=figures["days"] - 1)
    of: dict[str, list[Row]] = defaultdict(list)
    for row in days:
        if first <= row["on"] <= today:
            of[row["platform"]].append(row)
    behind: dict[str, list[Behind]] = defaultdict(list)
    for leg in sorted(legs, key=lambda leg: (leg["platform"], leg["on"], leg["entry_no"], str(leg["other_loan"]))):
        way = Behind(Source.ENTRY, leg["platform"], str(leg["other_loan"]), leg["on"], leg["amount_minor"], leg["entry_no"])
        behind[leg["platform"]].append(way)
    for platform, rows in sorted(of.items()):
        repaid, from_new = (sum(row[name] for row in rows) for name in ("repaid_minor", "repaid_by_new_minor"))
        if from_new >= figures["minor"] and from_new * BASIS_POINTS >= repaid * figures["share_bp"]:
            said = {"repaid_minor": repaid, "from_new_minor": from_new, "days": figures["days"]}
            yield Finding("new_for_old", platform, platform, "", from_new, said, tuple(behind[platform]))


def related_lenders(positions: Iterable[Row], related: Related, figures: Figures, today: date) -> Iterator[Finding]:
    """``positions``: platform, customer_id, holder, loan_id, principal_minor."""
    of: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in positions:
        if row["customer_id"] in related.get(row["platform"], frozenset()):
            of[row["platform"], row["customer_id"]].append(row)
    for (platform, customer), held in sorted(of.items()):
        total = sum(row["principal_minor"] for row in held)
        if total >= figures["minor"]:
            ordered = sorted(held, key=lambda row: (row["loan_id"], row["holder"]))
            rows = tuple(Behind(Source.LOAN, platform, row["loan_id"], today, row["principal_minor"]) for row in ordered)
            yield Finding("lender_is_related", platform, customer, "", total, {"lent_minor": total}, rows)


def near_related(contacts: Iterable[Row], related: Related) -> Iterator[Finding]:
    """``contacts``: as in shared_contacts, of borrowers and of related parties in whatever role (``role``)."""
    of: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in contacts:
        of[row["field"], row["digest"]].append(row)
    found: dict[tuple[str, str, str], Finding] = {}
    for (field, _), sharing in sorted(of.items()):
        for row in sharing:
            own = related.get(row["platform"], frozenset())
            near = sorted(
                (other for other in sharing if other["customer_id"] in own), key=lambda other: str(other["sub_account"])
            )
            if row["role"] != "BORROWER" or not near or row["customer_id"] in own:
                continue
            said = {"field": FIELDS[field][0], "field_zh": FIELDS[field][1], "related": near[0]["customer_id"]}
            key = row["platform"], row["customer_id"], field
            rows = contact_rows([row, *near])
            found.setdefault(key, Finding("borrower_near_related", row["platform"], row["customer_id"], field, 0, said, rows))
    yield from (found[key] for key in sorted(found))


def near_guarantors(loans: Iterable[Row], contacts: Iterable[Row], figures: Figures) -> Iterator[Finding]:
    """``loans``: lent and guaranteed: platform, loan_id, since, ``minor`` outstanding, borrower and guarantor (sub-accounts) with
    ``borrower_id`` and ``guarantor_id``, the customers; ``contacts``: of these accounts. A guarantee of oneself is none."""
    of: dict[str, dict[tuple[str, str], Row]] = defaultdict(dict)
    for row in contacts:
        of[row["sub_account"]][row["field"], row["digest"]] = row
    near: dict[tuple[str, str, str, str], list[tuple[Row, tuple[Behind, ...]]]] = defaultdict(list)
    for loan in sorted(loans, key=lambda loan: (loan["platform"], loan["loan_id"])):
        borrower, guarantor = of[loan["borrower"]], of[loan["guarantor"]]
        shared = sorted(borrower.keys() & guarantor.keys())
        if loan["borrower_id"] == loan["guarantor_id"]:
            field, rows = "identity", tuple[Behind, ...]()
        elif shared:
            field, rows = shared[0][0], contact_rows([borrower[shared[0]], guarantor[shared[0]]])
        else:
            continue
        near[loan["platform"], loan["borrower_id"], loan["guarantor_id"], field].append((loan, rows))
    for (platform, borrower_id, guarantor_id, field), found in sorted(near.items()):
        owed = sum(loan["minor"] for loan, _ in found)
        if owed < figures["minor"]:
            continue
        said: dict[str, int | str] = {"loans": len(found), "owed_minor": owed, "guarantor": guarantor_id}
        said |= {"field": _NEAR[field][0], "field_zh": _NEAR[field][1]}
        behind = tuple(Behind(Source.LOAN, platform, loan["loan_id"], loan["since"], loan["minor"]) for loan, _ in found)
        yield Finding("borrower_near_guarantor", platform, borrower_id, guarantor_id, owed, said, (*behind, *found[0][1]))


def related_guarantors(moves: Iterable[Row], related: Related, figures: Figures, today: date) -> Iterator[Finding]:
    """``moves``: today's posted COMPENSATION: platform, customer_id (of the payer), account, amount_minor, entry_no, file_name,
    line_no."""
    of: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in moves:
        if row["customer_id"] in related.get(row["platform"], frozenset()):
            of[row["platform"], row["customer_id"]].append(row)
    for (platform, customer), paid in sorted(of.items()):
        total = sum(row["amount_minor"] for row in paid)
        if total >= figures["minor"]:
            yield Finding(
                "guarantee_by_related", platform, customer, today.isoformat(), total, {"paid_minor": total}, _entries(paid, today)
            )


def platform_payouts(moves: Iterable[Row], today: date) -> Iterator[Finding]:
    """``moves``: today's instructions to pay customers from P_COMPENSATION, posted or refused: platform, account (of the payee),
    amount_minor, entry_no (None of what was refused), file_name, line_no."""
    of: dict[str, list[Row]] = defaultdict(list)
    for row in moves:
        of[row["platform"]].append(row)
    for platform, paid in sorted(of.items()):
        total = sum(row["amount_minor"] for row in paid)
        said = {"paid_minor": total, "customers": len({row["account"] for row in paid}), "on": today.isoformat()}
        yield Finding("platform_compensation", platform, platform, today.isoformat(), total, said, _entries(paid, today))


def fills_that_never_were(claims: Iterable[Row], figures: Figures) -> Iterator[Finding]:
    """``claims``: a platform's rows of loans that it calls full or lent: platform, loan_id, state, raised_minor, custody_date, file_name,
    line_no; ``ours_minor``: what was bid for it here and is held or lent."""
    for row in sorted(claims, key=lambda row: (row["platform"], row["loan_id"])):
        lacking = row["raised_minor"] - row["ours_minor"]
        if lacking >= figures["minor"]:
            said = {"claimed_minor": row["raised_minor"], "ours_minor": row["ours_minor"], "state": row["state"]}
            where = Behind(
                Source.FILE,
                row["platform"],
                row["loan_id"],
                row["custody_date"],
                row["raised_minor"],
                file_name=row["file_name"],
                line_no=row["line_no"],
            )
            yield Finding("fill_that_never_was", row["platform"], row["loan_id"], "", lacking, said, (where,))


def _entries(moves: Iterable[Row], on: date) -> tuple[Behind, ...]:
    ordered = sorted(moves, key=lambda row: (row["file_name"], row["line_no"]))
    return tuple(
        Behind(
            Source.ENTRY,
            row["platform"],
            row["account"],
            on,
            row["amount_minor"],
            row["entry_no"],
            row["file_name"],
            row["line_no"],
        )
        for row in ordered
    )
