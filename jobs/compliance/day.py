"""What a day of compliance reads, each table once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema
from custody.match_rules import Rule
from custody.names import LoanState, PartyKind, Role
from custody.rule_forms import ComplianceTerms
from custody.services.outputs import Seal
from jobs.compliance.columns import DAYS, JOURNAL, REPAID, SOLD, account_days, is_one_of, plain
from jobs.reference import Reference, load_reference
from jobs.step import StepContext
from schemas.tables import TABLES

PEOPLE = ("sub_account", "platform", "customer_id", "kind")
MOVES = (*JOURNAL, "loan_id")
KEPT = (*REPAID, *SOLD)
_LOANS = (
    "platform",
    "loan_id",
    "borrower",
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


@dataclass(frozen=True)
class ComplianceDay:
    context: StepContext
    reference: Reference

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
    def accounts(self) -> pa.Table:
        return self._of_post("sub_accounts", (*PEOPLE, "role", "opened_on", "closed_on"))

    @cached_property
    def borrowers(self) -> pa.Table:
        """Their accounts alone: one in many."""
        return self.accounts.filter(pc.equal(self.accounts["role"], str(Role.BORROWER)))

    @cached_property
    def everybody_related(self) -> pa.Array:
        return pa.array(sorted({customer for of in self.related.values() for customer in of}), pa.string())

    @cached_property
    def of_interest(self) -> pa.Table:
        """The accounts of borrowers, and of related parties in whatever role: of whom it matters by which numbers they are reached."""
        if not len(self.everybody_related):
            return self.borrowers
        is_related = pc.is_in(self.accounts["customer_id"], self.everybody_related)
        return self.accounts.filter(pc.or_(pc.equal(self.accounts["role"], str(Role.BORROWER)), is_related))

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

    @property
    def moved(self) -> pa.Table:
        """Today's account_days."""
        return self._posted[0]

    @property
    def settled(self) -> pa.Table:
        """Of today's moves those by which loans are repaid or claims are sold (KEPT)."""
        return self._posted[1]

    @cached_property
    def _posted(self) -> tuple[pa.Table, pa.Table]:
        """The journal is read once: by far the most that the day has to read."""
        kept = [arrow_schema(TABLES["journal"]).empty_table().select(MOVES)]

        def passing() -> Iterator[pa.Table]:
            for piece in self.journal(MOVES):
                kept.append(piece.filter(is_one_of(piece["txn_type"], KEPT)))
                yield piece

        days = account_days(passing(), self.accounts.select(PEOPLE))
        return days, plain(pa.concat_tables(kept))

    @cached_property
    def window(self) -> pa.Table:
        """The account_days of all days that a rule looks back to, with ``posted_on``, today's among them; ``customer``: a number for
        each customer_id, by which rows are gathered in a fraction of the time."""
        days = [_posted(self.moved, self.today)]
        for seal in self.earlier("compliance"):
            days.append(_posted(self.context.wiring.lake.read(seal.path, "account_days"), seal.custody_date))
        whole = pa.concat_tables(days)
        codes = pc.dictionary_encode(pa.chunked_array([whole["customer_id"].combine_chunks()]))
        return whole.append_column("customer", pa.chunked_array([chunk.indices for chunk in codes.chunks], pa.int32()))

    def earlier(self, step: str) -> list[Seal]:
        """The outputs of the days before today that lie in the window."""
        first = self.today - timedelta(days=self.window_days - 1)
        return [seal for seal in self.context.seals_of(step) if first <= seal.custody_date < self.today]

    def journal(self, columns: Sequence[str], on: date | None = None) -> Iterator[pa.Table]:
        """What was posted on a date, in pieces."""
        seal = self.context.seal("post", on)
        assert seal is not None
        yield from self.context.wiring.lake.pieces(seal.path, "journal", {}, columns)

    def of_yesterday(self, table: str) -> pa.Table:
        found = self.context.table("compliance", table, on=self.today - timedelta(days=1))
        return plain(arrow_schema(TABLES[table]).empty_table() if found is None else found)

    def _of_post(self, table: str, columns: Sequence[str]) -> pa.Table:
        found = self.context.table("post", table, columns=columns)
        assert found is not None
        return plain(found)


def _posted(days: pa.Table, on: date) -> pa.Table:
    """Ready for custody.compliance_money: with ``posted_on``, and dates under the name that it knows."""
    names = ["on" if name == "on_date" else name for name in DAYS.names]
    renamed = plain(days).select(DAYS.names).rename_columns(names)
    return renamed.append_column("posted_on", pa.array([on] * days.num_rows, pa.date32()))
