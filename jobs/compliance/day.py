"""What a day of compliance reads: each table once, and what grows with customers in shares (jobs.compliance.shares)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import Part, arrow_schema, conform
from custody.customer_decisions import resolve
from custody.match_rules import Rule
from custody.names import LoanState, PartyKind, Role
from custody.ports import Row
from custody.rule_forms import ComplianceTerms
from custody.services.outputs import Seal
from jobs.compliance.acts import TURNS
from jobs.compliance.columns import (
    JOURNAL,
    REPAID,
    SOLD,
    crowded,
    is_one_of,
    owner_of,
    plain,
    rows_of,
    summed_moves,
    with_owners,
)
from jobs.compliance.shares import LAST, SHARE_ROWS, of_platforms, together
from jobs.reference import Reference, load_reference
from jobs.step import StepContext
from schemas.tables import TABLES

PEOPLE = ("sub_account", "platform", "customer_id", "kind")
ACCOUNTS = (*PEOPLE, "role", "opened_on", "closed_on")
MOVES = (*JOURNAL, "loan_id")
CONTACT_ROLES = (str(Role.BORROWER), str(Role.GUARANTOR))
CLAIMS_SOLD = plain(arrow_schema(TABLES["claims_sold"]).empty_table()).schema
_LOANS = (
    "platform",
    "loan_id",
    "borrower",
    "guarantor",
    "amount_minor",
    "annual_rate",
    "periods",
    "every",
    "purpose",
    "disbursed_on",
    "funded_minor",
    "principal_repaid_minor",
)
_CLAIMED = ("party", "custody_date", "loan_id", "state", "raised_minor", "file_name", "line_no")


SELLER = ["platform", "seller"]


@dataclass(frozen=True)
class Walked:
    """What a walk through the day's journal and sub-accounts leaves: the accounts of few (columns ACCOUNTS), the sales of claims (columns
    CLAIMS_SOLD), few beside all other moves, those of them that may be packages, by platform what was repaid, and how many rows of
    account_days it wrote."""

    borrowers: pa.Table
    guarantors: pa.Table
    related: pa.Table
    watched: pa.Table
    sold: pa.Table
    sales: list[Row]
    repaid: pa.Table
    account_days: int


@dataclass(frozen=True)
class ComplianceDay:
    """``share_rows``: how many rows that grow with customers are in memory at once, about."""

    context: StepContext
    reference: Reference
    share_rows: int = SHARE_ROWS

    @classmethod
    def of(cls, context: StepContext) -> ComplianceDay:
        return cls(context, load_reference(context))

    @property
    def today(self) -> date:
        return self.context.custody_date

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        return self.reference.rules.compliance()

    def figures(self, rule_id: str) -> Mapping[str, int]:
        says = self.rules[rule_id].says
        assert isinstance(says, ComplianceTerms)
        return says.figures

    @cached_property
    def window_days(self) -> int:
        """How far back any rule looks at what moved."""
        return max(
            (
                self.figures(r)["days"]
                for r in ("structuring", "fast_in_out", "super_lender", "pooling", "new_for_old")
                if r in self.rules
            ),
            default=1,
        )

    @cached_property
    def related(self) -> Mapping[str, frozenset[str]]:
        """Each platform's related parties, as customer ids."""
        return {p: self.reference.related_parties(p) for p in self.reference.of_kind(PartyKind.PLATFORM)}

    @cached_property
    def everybody_related(self) -> pa.Array:
        return pa.array(sorted({customer for of in self.related.values() for customer in of}), pa.string())

    @cached_property
    def watched(self) -> list[Row]:
        """The entries of watch lists, by present ids: who was found to be another is watched under his own."""
        entries = self.context.rows("land", "watched") if "watch_list" in self.rules else []
        aliases = {row["old"]: row["new"] for row in self.context.rows("land", "customer_aliases")} if entries else {}
        return [row | {"customer_id": resolve(aliases, row["customer_id"])} for row in entries]

    @property
    def borrowers(self) -> pa.Table:
        """Their accounts alone: one in many."""
        return self.walked.borrowers

    @cached_property
    def of_interest(self) -> pa.Table:
        """The accounts of borrowers, of guarantors, and of related parties in whatever role: of whom it matters by which numbers they
        are reached."""
        related = self.walked.related
        others = related.filter(pc.invert(is_one_of(related["role"], CONTACT_ROLES)))
        return pa.concat_tables([self.walked.borrowers, self.walked.guarantors, others])

    def accounts_of(self, column: str, texts: Iterable[str], columns: Sequence[str]) -> pa.Table:
        """Of the sub-accounts those with one of some texts in a column; all are looked through."""
        wanted = pa.array(sorted(set(texts)), pa.string())
        found = [arrow_schema(TABLES["sub_accounts"]).empty_table().select(columns)]
        for piece in self.post_pieces("sub_accounts", columns) if len(wanted) else ():
            found.append(piece.filter(pc.is_in(piece[column], wanted)))
        return plain(pa.concat_tables(found))

    @cached_property
    def loans(self) -> pa.Table:
        """With whose they are (customer_id, kind)."""
        people = self.borrowers.select(PEOPLE).drop_columns(["platform"]).rename_columns(["borrower", "customer_id", "kind"])
        return self._of_post("loans", _LOANS).join(people, "borrower", join_type="inner")

    @cached_property
    def claimed(self) -> pa.Table:
        """What the platforms say of their loans at the end of today."""
        found = self.context.table("land", "land_loan", columns=_CLAIMED)
        assert found is not None
        of_today = found.filter(pc.equal(found["custody_date"], pa.scalar(self.today, pa.date32())))
        return plain(of_today).rename_columns(["platform", *_CLAIMED[1:]])

    @cached_property
    def bids(self) -> pa.Table:
        """By loan what is held for it: platform, loan_id, held_minor."""
        holds = self._of_post("holds", ("platform", "loan_id", "kind", "amount_minor"))
        tenders = holds.filter(pc.and_(pc.equal(holds["kind"], "TENDER"), pc.is_valid(holds["loan_id"])))
        summed = tenders.group_by(["platform", "loan_id"]).aggregate([("amount_minor", "sum")])
        return summed.rename_columns(["platform", "loan_id", "held_minor"])

    @cached_property
    def exposures(self) -> pa.Table:
        """Of each loan what its borrower owes, or asks for while it is bidding or full: ``minor``; ``since``: lent, or today."""
        claimed = self.claimed
        open_ = claimed.filter(pc.is_in(claimed["state"], pa.array([LoanState.BIDDING, LoanState.FULL], pa.string())))
        asked = pa.concat_tables([open_.select(["platform", "loan_id"]), self.bids.select(["platform", "loan_id"])])
        asked = asked.group_by(["platform", "loan_id"]).aggregate([])
        asked = asked.append_column("asked", pa.array([True] * asked.num_rows, pa.bool_()))
        loans = self.loans.join(asked, ["platform", "loan_id"], join_type="left outer")
        is_lent = pc.greater(loans["funded_minor"], 0)
        owed = pc.subtract(loans["funded_minor"], loans["principal_repaid_minor"])
        asks = pc.if_else(pc.fill_null(loans["asked"], False), loans["amount_minor"], 0)
        loans = loans.append_column("minor", pc.if_else(is_lent, owed, asks))
        since = pc.coalesce(loans["disbursed_on"], pa.scalar(self.today, pa.date32()))
        loans = loans.append_column("since", since).drop_columns(["asked"])
        return loans.filter(pc.greater(loans["minor"], 0))

    @cached_property
    def walked(self) -> Walked:
        """The journal and the sub-accounts are read once, by far the most that the day has to read: some platforms at a time, of which
        the account_days are written at once."""
        writer = self.context.writer
        assert writer is not None
        writer.declare("account_days")
        few: dict[str, list[pa.Table]] = {name: [_NOBODY] for name in ("borrowers", "guarantors", "related", "watched")}
        watched = pa.array(sorted({row["customer_id"] for row in self.watched}), pa.string())
        repaid: list[pa.Table] = []
        sold = [CLAIMS_SOLD.empty_table()]
        sales: list[Row] = []
        after, rows = "", 0
        spec, packages = TABLES["account_days"], "packaged_assignment"
        # Digests of one share's rows are made while the next is read.
        with ThreadPoolExecutor(1) as beside:
            written = beside.submit(lambda: None)
            for upto, moves in chain(of_platforms(self.journal(MOVES), self.share_rows), [(LAST, None)]):
                # The rest of the platforms posted nothing.
                summed = summed_moves([] if moves is None else [moves])
                owners = [_NOBODY]
                for people in together(self._people(after, upto), self.share_rows):
                    for name, role in (("borrowers", Role.BORROWER), ("guarantors", Role.GUARANTOR)):
                        few[name].append(people.filter(pc.equal(people["role"], str(role))))
                    for name, ids in (("related", self.everybody_related), ("watched", watched)):
                        if len(ids):
                            few[name].append(people.filter(pc.is_in(people["customer_id"], ids)))
                    if moves is not None:
                        owners.append(people.filter(pc.is_in(people["sub_account"], summed["account"].combine_chunks())))
                after = upto
                if moves is None:
                    continue
                people = plain(pa.concat_tables(owners))
                found = with_owners(summed, people)
                if found.num_rows:
                    written.result()
                    written = beside.submit(lambda found: writer.part(Part.of(spec, conform(spec, found))), found)
                    rows += found.num_rows
                paid = moves.filter(is_one_of(moves["txn_type"], REPAID))
                repaid.append(paid.group_by(["platform"]).aggregate([("amount_minor", "sum")]))
                sold.append(plain(assignments(moves.filter(is_one_of(moves["txn_type"], SOLD)), people)))
                if packages in self.rules:
                    figures = self.figures(packages)
                    least = min(figures["loans"], figures.get("few", figures["loans"]))
                    sales += rows_of(sold[-1], SELLER, crowded(sold[-1], SELLER, least))
            written.result()
        accounts = {name: plain(pa.concat_tables(some)) for name, some in few.items()}
        return Walked(**accounts, sold=pa.concat_tables(sold), sales=sales, repaid=_repaid(repaid), account_days=rows)

    @cached_property
    def split(self) -> tuple[list[Row], list[Row]]:
        """As custody.compliance_platforms.super_lenders takes them: over the window the sales of whoever sold often enough, and what he lent
        and still holds of these loans. Days that an earlier version of the program sealed have no table of them."""
        figures, lake = self.figures("super_lender"), self.context.wiring.lake
        if "buyers" not in figures:
            return [], []
        days = [(self.walked.sold, self.today)]
        for seal in self.earlier("compliance"):
            if "claims_sold" in lake.manifest(seal.path).tables:
                days.append((plain(lake.read(seal.path, "claims_sold")), seal.custody_date))
        sold = pa.concat_tables([t.append_column("on", pa.repeat(pa.scalar(on, pa.date32()), t.num_rows)) for t, on in days])
        sales = rows_of(sold, SELLER, crowded(sold, SELLER, figures["buyers"]))
        if not sales:
            return [], []
        wanted = pa.array(sorted({row["loan_id"] for row in sales}), pa.string())
        loans = self.loans.filter(pc.is_in(self.loans["loan_id"], wanted)).to_pylist()
        known = {(row["platform"], row["loan_id"]): row for row in loans}
        accounts = pa.array(sorted({row["account"] for row in sales}), pa.string())
        held: dict[tuple[str, str], int] = {}
        for piece in self.post_pieces("positions", ("holder", "loan_id", "principal_minor")):
            for row in piece.filter(pc.is_in(piece["holder"], accounts)).to_pylist():
                held[row["holder"], row["loan_id"]] = row["principal_minor"]
        # One customer may have lent from several accounts of his.
        own: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in sales:
            own[row["platform"], row["seller"]].add(row["account"])
        lent: dict[tuple[str, str, str], Row] = {}
        for row in sales:
            loan = known.get((row["platform"], row["loan_id"]))
            if loan is not None:
                said = {"platform": row["platform"], "loan_id": row["loan_id"], "customer_id": row["seller"]}
                said |= {"since": loan["disbursed_on"], "funded_minor": loan["funded_minor"]}
                key = row["platform"], row["seller"], row["loan_id"]
                still = sum(held.get((account, row["loan_id"]), 0) for account in own[key[:2]])
                lent[key] = said | {"principal_minor": still}
        return sales, list(lent.values())

    def _people(self, after: str, upto: str) -> Iterator[pa.Table]:
        """The sub-accounts of some platforms (ACCOUNTS), in pieces."""
        for piece in self.post_pieces("sub_accounts", ACCOUNTS, {"platform": (after, upto)}):
            platforms = piece["platform"]
            yield piece.filter(pc.and_(pc.greater(platforms, after), pc.less_equal(platforms, upto)))

    def days(
        self,
        columns: Sequence[str],
        within: Mapping[str, tuple[Any, Any]] = MappingProxyType({}),
        words: Collection[str] = (),
    ) -> Iterator[tuple[date, pa.Table]]:
        """The account_days of all days that are looked back to, in pieces, today's among them, with the date on which they were posted:
        those that any rule looks back to, and those since everybody's last act was told. ``within``, ``words``: as Lake.pieces takes them."""
        # Today's have been written by then.
        assert self.walked is not None and self.context.writer is not None
        for piece in self.context.writer.written("account_days", columns, words):
            yield self.today, piece
        for seal in self._looked_back():
            for piece in self.context.wiring.lake.pieces(seal.path, "account_days", within, columns, words=words):
                yield seal.custody_date, piece

    def _looked_back(self) -> list[Seal]:
        first = self.today - timedelta(days=max(self.window_days, TURNS) - 1)
        return [seal for seal in self.context.seals_of("compliance") if first <= seal.custody_date < self.today]

    def looked_back_to(self, window: pa.Table) -> pa.Table:
        """Of what ``windows`` gives that on which rules look."""
        if self.window_days >= TURNS:
            return window
        first = self.today - timedelta(days=self.window_days - 1)
        return window.filter(pc.greater_equal(window["posted_on"], pa.scalar(first, pa.date32())))

    @property
    def rows_looked_back_to(self) -> int:
        """How many rows ``days`` gives."""
        lake = self.context.wiring.lake
        earlier = (int(lake.manifest(seal.path).tables["account_days"]["rows"]) for seal in self._looked_back())
        return self.walked.account_days + sum(earlier)

    def earlier(self, step: str) -> list[Seal]:
        """The outputs of the days before today that lie in the window."""
        first = self.today - timedelta(days=self.window_days - 1)
        return [seal for seal in self.context.seals_of(step) if first <= seal.custody_date < self.today]

    def journal(self, columns: Sequence[str], on: date | None = None) -> Iterator[pa.Table]:
        """What was posted on a date, in pieces."""
        yield from self.post_pieces("journal", columns, on=on)

    def post_pieces(
        self,
        table: str,
        columns: Sequence[str],
        within: Mapping[str, tuple[Any, Any]] = MappingProxyType({}),
        on: date | None = None,
    ) -> Iterator[pa.Table]:
        """A table of what was posted on a date, in pieces."""
        seal = self.context.seal("post", on)
        assert seal is not None
        yield from self.context.wiring.lake.pieces(seal.path, table, within, columns)

    def of_yesterday(self, table: str) -> pa.Table:
        found = self.context.table("compliance", table, on=self.today - timedelta(days=1))
        return plain(arrow_schema(TABLES[table]).empty_table() if found is None else found)

    def _of_post(self, table: str, columns: Sequence[str]) -> pa.Table:
        found = self.context.table("post", table, columns=columns)
        assert found is not None
        return plain(found)


def assignments(sold: pa.Table, people: pa.Table) -> pa.Table:
    """Posted assignments of claims (MOVES) with seller and buyer, who are among the people (ACCOUNTS)."""
    sides = (("to_account", "seller"), ("from_account", "buyer"))
    owners_of = {side: owner_of(sold[side]) for side, _ in sides}
    # What is looked up is hashed: of few.
    either = pa.concat_arrays([owners.combine_chunks() for owners in owners_of.values()])
    people = people.filter(pc.is_in(people["sub_account"], either))
    for side, name in sides:
        owners = owner_of(sold[side])
        place = pc.index_in(owners, people["sub_account"].combine_chunks())
        sold = sold.set_column(sold.schema.get_field_index(side), side, owners).filter(pc.is_valid(place))
        sold = sold.append_column(name, pc.take(people["customer_id"].combine_chunks(), pc.drop_null(place)))
    names = CLAIMS_SOLD.names
    return sold.select([n if n != "account" else "to_account" for n in names]).rename_columns(names)


def _repaid(shares: Sequence[pa.Table]) -> pa.Table:
    """platform, amount_minor: no platform lies in two shares."""
    schema = pa.schema([("platform", pa.string()), ("amount_minor", pa.int64())])
    columns = [share.select(["platform", "amount_minor_sum"]).rename_columns(schema.names).cast(schema) for share in shares]
    return pa.concat_tables([schema.empty_table(), *columns])


_NOBODY = arrow_schema(TABLES["sub_accounts"]).empty_table().select(ACCOUNTS)
