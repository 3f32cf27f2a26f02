"""Rules about borrowers: limits, rates, split terms, shared cards, phones and identities (domain.md §8).

Each function takes rows and a rule's figures and yields what the rule says of them. It may be given only the rows of those whom it
could concern (jobs.compliance picks them by columns): of others it would say nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from fractions import Fraction

from custody.compliance import BASIS_POINTS, Behind, Figures, Finding, Source
from custody.ports import Row

PAIR = 2
_CARD = "card_no"
FIELDS = {"card_no": ("card", "银行卡"), "phone": ("phone number", "手机号")}


def limit_of(kind: str, figures: Figures) -> int:
    return figures["company_minor" if kind == "COMPANY" else "person_minor"]


def over_limit_on_platform(loans: Iterable[Row], figures: Figures) -> Iterator[Finding]:
    """``loans``: platform, loan_id, customer_id, kind, since, minor (outstanding, or the amount while it is bidding or full)."""
    of: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for loan in loans:
        of[loan["platform"], loan["customer_id"]].append(loan)
    for (platform, customer), owed in sorted(of.items()):
        total, limit = _total(owed), limit_of(kind_of(owed), figures)
        if total > limit:
            said = {"owed_minor": total, "limit_minor": limit, "loans": len(owed)}
            yield Finding("limit_on_platform", platform, customer, "", total - limit, said, _loans(owed))


def over_limit_on_all(loans: Iterable[Row], figures: Figures) -> Iterator[Finding]:
    """The same rows by person alone: what he owes on all platforms that are held here, and so a lower bound."""
    of: dict[str, list[Row]] = defaultdict(list)
    for loan in loans:
        of[loan["customer_id"]].append(loan)
    for customer, owed in sorted(of.items()):
        total, limit = _total(owed), limit_of(kind_of(owed), figures)
        if total > limit:
            said = {
                "owed_minor": total,
                "limit_minor": limit,
                "loans": len(owed),
                "platforms": len({loan["platform"] for loan in owed}),
            }
            yield Finding("limit_on_all", "", customer, "", total - limit, said, _loans(owed))


def above_rate_cap(loans: Iterable[Row], caps: Sequence[tuple[date, int]]) -> Iterator[Finding]:
    """``loans``: platform, loan_id, annual_rate (text), since, minor. ``caps``: (first date, basis points), in order; a loan is judged by
    the one of its ``since``."""
    for loan in loans:
        in_force = [cap for first, cap in caps if first <= loan["since"]]
        if in_force and Fraction(loan["annual_rate"]) * BASIS_POINTS > in_force[-1]:
            said = {"rate": loan["annual_rate"], "cap_bp": in_force[-1], "since": loan["since"].isoformat()}
            yield Finding("rate_cap", loan["platform"], loan["loan_id"], "", loan["minor"], said, _loans([loan]))


def split_terms(loans: Iterable[Row], figures: Figures) -> Iterator[Finding]:
    """``loans``: platform, customer_id, purpose, loan_id, since, ends_on (by contract), funded_minor: what was lent. One takes over
    from another when it begins within ``gap_days`` of the other's end and is of like amount. Where the rule names ``pair_days``, two are
    enough of loans that run no longer, the nearer and the more alike."""
    of: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for loan in loans:
        of[loan["platform"], loan["customer_id"], loan["purpose"]].append(loan)
    for (platform, customer, _), lent in sorted(of.items()):
        ordered = sorted(lent, key=lambda loan: (loan["since"], loan["loan_id"]))
        chain, least = longest_chain(ordered, figures), figures["loans"]
        if len(chain) < least and "pair_days" in figures:
            short = [loan for loan in ordered if (loan["ends_on"] - loan["since"]).days <= figures["pair_days"]]
            near = {"gap_days": figures["pair_gap_days"], "amount_bp": figures["pair_amount_bp"]}
            chain, least = longest_chain(short, near), PAIR
        if len(chain) >= least:
            total = sum(loan["funded_minor"] for loan in chain)
            said = {
                "loans": len(chain),
                "borrower": customer,
                "first": chain[0]["since"].isoformat(),
                "last": chain[-1]["ends_on"].isoformat(),
                "lent_minor": total,
            }
            rows = tuple(Behind(Source.LOAN, platform, loan["loan_id"], loan["since"], loan["funded_minor"]) for loan in chain)
            # It keeps its name as it grows longer.
            yield Finding("term_splitting", platform, chain[0]["loan_id"], "", total, said, rows)


def longest_chain(loans: Sequence[Row], figures: Figures) -> list[Row]:
    """Of loans in order of their beginning the most that take over one from another; of equally many the earliest."""
    best: list[list[Row]] = []
    for at, loan in enumerate(loans):
        before = [best[i] for i in range(at) if _takes_over(loans[i], loan, figures)]
        best.append([*max(before, key=len, default=[]), loan])
    return max(best, key=len, default=[])


def _takes_over(earlier: Row, later: Row, figures: Figures) -> bool:
    gap = abs((later["since"] - earlier["ends_on"]).days)
    apart = abs(later["funded_minor"] - earlier["funded_minor"]) * BASIS_POINTS
    is_alike = apart <= earlier["funded_minor"] * figures["amount_bp"]
    return bool(later["since"] > earlier["since"] and gap <= figures["gap_days"] and is_alike)


def shared_contacts(contacts: Iterable[Row], figures: Figures) -> Iterator[Finding]:
    """``contacts``: borrowers' field, digest, customer_id, platform, sub_account, since, file_name, line_no. Families share a phone; a card
    is one person's: where the rule names ``card_borrowers``, so few are enough of those who share one."""
    of: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in contacts:
        of[row["field"], row["digest"]].append(row)
    for (field, digest), sharing in sorted(of.items()):
        persons, platforms = {row["customer_id"] for row in sharing}, sorted({row["platform"] for row in sharing})
        least = figures.get("card_borrowers", figures["borrowers"]) if field == _CARD else figures["borrowers"]
        if len(persons) >= least:
            said: dict[str, int | str] = {
                "borrowers": len(persons),
                "platforms": len(platforms),
                "field": FIELDS[field][0],
                "field_zh": FIELDS[field][1],
            }
            where = platforms[0] if len(platforms) == 1 else ""
            yield Finding("shared_contact", where, f"{field}:{digest[:16]}", "", 0, said, contact_rows(sharing))


def shared_identities(accounts: Iterable[Row], figures: Figures) -> Iterator[Finding]:
    """``accounts``: open borrowers' platform, customer_id, sub_account, opened_on."""
    of: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in accounts:
        of[row["platform"], row["customer_id"]].append(row)
    for (platform, customer), held in sorted(of.items()):
        if len(held) >= figures["accounts"]:
            rows = tuple(Behind(Source.ACCOUNT, platform, row["sub_account"], row["opened_on"], 0) for row in _by_account(held))
            yield Finding("shared_identity", platform, customer, "", 0, {"accounts": len(held)}, rows)


def contact_rows(contacts: Iterable[Row]) -> tuple[Behind, ...]:
    return tuple(
        Behind(Source.FILE, r["platform"], r["sub_account"], r["since"], 0, file_name=r["file_name"], line_no=r["line_no"])
        for r in _by_account(contacts)
    )


def _by_account(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: str(row["sub_account"]))


def _loans(loans: Iterable[Row]) -> tuple[Behind, ...]:
    ordered = sorted(loans, key=lambda loan: (loan["platform"], loan["since"], loan["loan_id"]))
    return tuple(Behind(Source.LOAN, loan["platform"], loan["loan_id"], loan["since"], loan["minor"]) for loan in ordered)


def _total(loans: Iterable[Row]) -> int:
    return sum(loan["minor"] for loan in loans)


def kind_of(rows: Iterable[Row]) -> str:
    """A company that one platform calls a person is a company: identity follows the number, and its kind with it."""
    return "COMPANY" if any(row["kind"] == "COMPANY" for row in rows) else "PERSON"
