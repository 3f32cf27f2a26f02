"""The lake's tables: columns, types, what may be null, and the key that orders and identifies rows.

Types are the five that content digests know (custody.digest): text, int (64-bit), bool, date, time (aware, stored UTC).
Amounts end in ``_minor`` and are integer minor units of the row's ``currency``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from schemas.layout import Layout, load_layout

ColumnType = Literal["text", "int", "bool", "date", "time"]


@dataclass(frozen=True)
class ColumnSpec:
    name: str
    type: ColumnType
    nullable: bool


@dataclass(frozen=True)
class TableSpec:
    """``key`` orders the rows; where ``unique`` it identifies them, and writing two rows with one key is refused."""

    name: str
    columns: tuple[ColumnSpec, ...]
    key: tuple[str, ...]
    unique: bool = True

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.columns]


def _table(name: str, key: str, columns: str, *, unique: bool = True) -> TableSpec:
    """``columns`` is a list of ``name:type`` words; a type with ``?`` may be null."""
    specs = []
    for word in columns.split():
        column, _, kind = word.partition(":")
        specs.append(ColumnSpec(column, kind.rstrip("?"), kind.endswith("?")))  # type: ignore[arg-type]
    return TableSpec(name, tuple(specs), tuple(key.split()), unique)


_LANDED_FROM = "party:text file_name:text line_no:int custody_date:date"
_FIELD_TYPES: dict[str, ColumnType] = {"integer": "int", "amount": "int", "date": "date", "time": "time"}


def _landed(layout: Layout, drop: frozenset[str] = frozenset(), extra: str = "") -> TableSpec:
    """A landed table carries its layout's columns, less personal ones, and says which file and line a row came from."""
    base = _table(f"land_{layout.file_type.lower()}", "file_name line_no", f"{_LANDED_FROM} {extra}".strip())
    fields = tuple(
        ColumnSpec(f.column, _FIELD_TYPES.get(f.type, "text"), not f.required) for f in layout.fields if f.name not in drop
    )
    return TableSpec(base.name, base.columns + fields, base.key)


_CUSTOMER = load_layout("platform_customer/1")
_PERSONAL = frozenset(f.name for f in _CUSTOMER.fields if f.personal)

# The two shapes that several tables share.
_TXN = (
    "platform:text request_no:text leg:int txn_type:text from_account:text? to_account:text? amount_minor:int currency:text "
    "loan_id:text? principal_minor:int interest_minor:int penalty_minor:int coupon_minor:int related_request_no:text? "
    "channel:text? status:text event_time:time"
)
_SOURCE = "file_name:text line_no:int"
# One side of one movement as the matcher sees it, whatever it came from (jobs.reconcile.relations).
ITEM_COLUMNS = (
    "relation:text side:text row_ref:text match_key:text? platform:text subject:text item_date:date event_time:time? "
    "expected_on:date? amount_minor:int currency:text from_account:text? to_account:text? loan_id:text? status:text? "
    "fee_minor:int? principal_minor:int? interest_minor:int? penalty_minor:int? coupon_minor:int? counterpart_file:text? "
    "in_window:bool txn_type:text? settle_date:date?"
)

TABLES: dict[str, TableSpec] = {
    t.name: t
    for t in (
        # cut_off: what the day may see
        _table(
            "accepted_files",
            "file_name",
            "file_name:text party:text file_type:text custody_date:date batch:int version:int layout:text encoding:text "
            "bytes:int rows:int sha256:text totals:text batches:int? archive_ref:text",
        ),
        _table(
            "refused_files",
            "file_name sha256",
            "file_name:text sha256:text party:text file_type:text custody_date:date rule:text words_en:text words_zh:text",
        ),
        _table(
            "decisions",
            "decision_no",
            "decision_no:int proposal_id:text kind:text subject:text payload:text maker:text checker:text outcome:text",
        ),
        _table("reference", "kind id", "kind:text id:text payload:text"),
        # Accepted files that take the place of a version whose rows an earlier day landed.
        _table(
            "restated_files",
            "file_name",
            "file_name:text replaces:text party:text file_type:text custody_date:date landed_on:date",
        ),
        # land
        _landed(_CUSTOMER, _PERSONAL, "customer_id:text personal_digest:text"),
        # Rows of forms that two people decided on (custody.customer_decisions), and customer ids that they found to be another's, those
        # of earlier days too.
        _table(
            "decided_customers",
            "decision_no row_no",
            "decision_no:int row_no:int proposal_id:text reference:text party:text custody_date:date said_of:text customer_id:text "
            "personal_digest:text user_no:text role:text action:text kind:text",
        ),
        _table("customer_aliases", "old", "old:text new:text effective_on:date decision_no:int"),
        # Watch lists as two people let them in, and what became of the hold that each entry is (custody.watch_list): customer ids alone.
        _table(
            "watched",
            "list entry",
            "list:text entry:text customer_id:text valid_from:date held_from:date state:text decided_by:text? hold_id:text",
        ),
        _landed(load_layout("platform_loan/1")),
        _landed(load_layout("platform_txn/1")),
        _landed(load_layout("platform_claim/1")),
        _landed(load_layout("platform_balance/1")),
        _landed(load_layout("channel_settlement/1")),
        _landed(load_layout("gateway_instruction/1")),
        # Adjusting entries that two people approved, as instructions (custody.adjustments): their place is the decision.
        replace(_landed(load_layout("gateway_instruction/1")), name="decided_adjustments"),
        _landed(load_layout("gateway_mandate/1")),
        _landed(load_layout("gateway_legal_order/1")),
        _landed(load_layout("platform_confirmation/1")),
        _landed(load_layout("platform_disclosure/1")),
        _table(
            "rejected_rows",
            "file_name line_no fault_no",
            "party:text file_name:text file_type:text custody_date:date line_no:int fault_no:int field:text value:text "
            "rule:text words_en:text words_zh:text row_key:text? shown:text",
        ),
        # One row for each file that was accepted, and for each that the contract expects and that is not there (EXPECTED), or is
        # not waited for any longer (GIVEN_UP).
        _table(
            "file_outcomes",
            "party file_type custody_date file_name sha256",
            "party:text file_type:text custody_date:date file_name:text sha256:text outcome:text rule:text? words_en:text? words_zh:text? "
            "figures:text batch:int batches:int? rows:int rows_landed:int rows_rejected:int total_minor:int landed_minor:int rejected_minor:int",
        ),
        # Versions whose rows are withdrawn since another landed, on this day or an earlier one.
        _table(
            "superseded_files",
            "file_name",
            "file_name:text replaced_by:text party:text file_type:text custody_date:date landed_on:date superseded_on:date",
        ),
        # validate. One row for each batch: all that a party landed of one file type for one date. Shares are in basis points.
        _table(
            "batch_statistics",
            "party file_type custody_date",
            "party:text file_type:text custody_date:date business_day:bool files:int rows:int rows_before:int rejected_rows:int rejected_bp:int "
            "total_minor:int amount_min_minor:int? amount_max_minor:int? keys:int repeated_rows:int repeated_bp:int "
            "first_event:time? last_event:time? days_back:int? history_days:int usual_rows:int? low_rows:int? high_rows:int? "
            "low_bp:int? high_bp:int? amount_bp:int? mix_bp:int? absent_bp:int? absent_column:text?",
        ),
        _table(
            "batch_classes",
            "party file_type custody_date class measure",
            "party:text file_type:text custody_date:date business_day:bool class:text measure:text value:int",
        ),
        _table(
            "batch_findings",
            "party file_type custody_date rule",
            "party:text file_type:text custody_date:date rule:text severity:text measure:text observed:int expected:text "
            "words_en:text words_zh:text",
        ),
        # extract
        _table(
            "core_flow",
            "account core_date seq",
            "account:text core_date:date seq:int extracted_for:date amount_minor:int currency:text core_ref:text "
            "counterparty:text narrative:text booked_at:time",
        ),
        _table(
            "core_balance",
            "account core_date",
            "account:text core_date:date opening_minor:int closing_minor:int currency:text",
        ),
        # The core in E_ACCOUNT form (custody.core_model): each posting's rows on the e-accounts of a platform whose contract says so,
        # and what these hold. Of amounts ``flag`` is the sign; ``way`` says which of a movement's two rows it is.
        _table(
            "e_account_flow",
            "account core_date seq",
            "account:text platform:text core_date:date seq:int extracted_for:date request_no:text? leg:int? way:text? txn_type:text? "
            "amount_minor:int flag:text currency:text balance_after_minor:int standing:text counterparty:text? narrative:text? "
            "booked_at:time",
        ),
        _table(
            "e_account_balance",
            "account core_date",
            "account:text platform:text core_date:date opening_minor:int closing_minor:int currency:text",
        ),
        # What the core shows of e-accounts on a date on which the platform's contract says HUB: counted, and not taken.
        _table(
            "e_accounts_refused",
            "platform core_date",
            "platform:text core_date:date flows:int flow_minor:int balances:int",
        ),
        # post. Numbers are yyyymmdd * 10^9 + a sequence that rises in order of posting within a platform, platforms in order of
        # their ids, with gaps. Balances of a move are those of its two accounts right after it.
        _table(
            "journal",
            "entry_no move_no",
            "entry_no:int move_no:int platform:text book:text from_account:text to_account:text amount_minor:int "
            "from_balance_minor:int to_balance_minor:int currency:text txn_type:text request_no:text leg:int loan_id:text? core_ref:text? posting_date:date value_date:date "
            "event_time:time",
        ),
        # Every instruction leg of the day, with what became of it: POSTED, REPEATED, WAITING, REFUSED or NO_POSTING.
        _table(
            "ledger_txn",
            "platform txn_no",
            f"txn_no:int {_TXN} originator:text authorisation_id:text settlement_batch:text? direction:text? fee_minor:int {_SOURCE} value_date:date "
            "settle_date:date? content_hash:text outcome:text entry_no:int?",
        ),
        _table(
            "posting_findings",
            "platform txn_no kind rule",
            "platform:text txn_no:int request_no:text leg:int txn_type:text kind:text rule:text figures:text words_en:text words_zh:text "
            f"amount_minor:int {_SOURCE} value_date:date",
        ),
        # Instruction legs that wait for what they need; the next day's posting tries them again.
        _table("pending_instructions", "platform file_name line_no", f"platform:text {_LANDED_FROM} payload:text"),
        # Our shares of repayment requests of which some legs are posted and others wait; no claim: there is none for the leg.
        _table(
            "open_splits",
            "platform request_no leg",
            "platform:text request_no:text leg:int claim_id:text? holder:text? principal_minor:int interest_minor:int penalty_minor:int",
        ),
        # Repayment requests of which not every leg had come with the first, by what they froze: the claims as they stood before it (leg 0),
        # and each leg that is posted so far. Whole ones are compared by reconcile (custody.allocation).
        _table(
            "begun_requests",
            "platform request_no leg claim_id",
            "platform:text request_no:text leg:int claim_id:text loan_id:text frozen_by:text since:date state:text is_rejected:bool holder:text currency:text amount_minor:int "
            "principal_minor:int interest_minor:int penalty_minor:int file_name:text? line_no:int?",
        ),
        # Withdrawals that were handed on and whose final status has not come: they come again under the same number.
        _table(
            "under_way",
            "platform request_no leg",
            "platform:text request_no:text leg:int txn_type:text account:text? channel:text? amount_minor:int currency:text "
            "status:text since:date related_request_no:text?",
        ),
        # In order of a 64-bit hash of the key (jobs.distinct_keys.key_hashes, read as signed), so that a day's keys are looked for
        # among those of all days part by part.
        _table(
            "posted_keys",
            "platform key_hash request_no leg",
            "platform:text key_hash:int request_no:text leg:int content_hash:text",
        ),
        # What restated files of instructions take back of earlier days, as instructions (custody.reversals): their place is the line of
        # the version that was withdrawn. Of them what was posted and is so no more.
        replace(_landed(load_layout("gateway_instruction/1")), name="reversed_legs"),
        _table("reversed_keys", "platform request_no leg", "platform:text request_no:text leg:int"),
        _table(
            "balances",
            "platform book account",
            "platform:text book:text account:text currency:text opening_minor:int in_minor:int out_minor:int closing_minor:int",
        ),
        _table(
            "holds",
            "platform hold_id",
            "platform:text hold_id:text account:text kind:text loan_id:text? amount_minor:int placed_on:date mandate_id:text?",
        ),
        _table(
            "claims",
            "platform claim_id",
            "platform:text claim_id:text loan_id:text holder:text principal_minor:int original_minor:int currency:text",
        ),
        # What each holder has of each loan: his claims summed.
        _table("positions", "platform holder loan_id", "platform:text holder:text loan_id:text principal_minor:int claims:int"),
        _table(
            "loans",
            "platform loan_id",
            "platform:text loan_id:text borrower:text amount_minor:int currency:text annual_rate:text method:text periods:int "
            "every:text day_count:text minimum_minor:int? penalty_rate:text? guarantor:text? payee:text? purpose:text state:text "
            "disbursed_on:date? funded_minor:int principal_repaid_minor:int interest_repaid_minor:int",
        ),
        _table(
            "sub_accounts",
            "sub_account",
            "sub_account:text platform:text role:text user_no:text customer_id:text kind:text opened_on:date closed_on:date?",
        ),
        # What each mandate allows, and what was used of it so far.
        _table(
            "mandates",
            "platform mandate_id",
            "platform:text mandate_id:text holder:text scope:text item_limit_minor:int total_limit_minor:int used_minor:int "
            "expires_on:date granted_at:time revoked_at:time?",
        ),
        # What was ordered by law, and how much of it was carried out.
        _table(
            "legal_orders",
            "platform order_no action",
            "platform:text order_no:text action:text account:text amount_minor:int used_minor:int",
        ),
        # Whose money is unsettled: account = a sub-account, a P_* account, or the account by which money left before it was
        # settled; hold_id = the hold of a frozen part, "" for what is not frozen.
        _table(
            "unsettled",
            "platform account hold_id channel settle_date",
            "platform:text account:text hold_id:text channel:text settle_date:date amount_minor:int",
        ),
        # Each channel's receivable and payable by request, and the fees to be restored by batch.
        _table(
            "receivables",
            "platform account item",
            "platform:text account:text item:text opened_on:date settle_date:date amount_minor:int",
        ),
        _table(
            "suspense",
            "platform request_no",
            "platform:text request_no:text received_on:date amount_minor:int left_minor:int due_on:date",
        ),
        # project
        # For each table of the keyed store and salt: what the day adds to it, and all that it then holds (schemas/store_proof.py).
        _table(
            "projected",
            "store_table salt",
            "store_table:text salt:int record_version:int rows:int sum_minor:int digest:text total_rows:int total_sum_minor:int "
            "total_digest:text",
        ),
        # reconcile
        # Each row that is not one of a clean pair: by what it matched, why it waits, or what is wrong with it. Rows of one
        # group_id were judged together.
        _table(
            "matches",
            "relation side row_ref",
            "relation:text side:text row_ref:text item_date:date platform:text subject:text bucket:text rule:text "
            "match_key:text? amount_minor:int group_id:text?",
        ),
        # The clean ones, which agree with their counterpart in everything: how many, their sum and a digest of which they are
        # (jobs.reconcile.totals). file_name is "" for a side that no party's file brought.
        _table(
            "match_totals",
            "relation side platform file_name",
            "relation:text side:text platform:text file_name:text rows:int amount_minor:int digest:text",
        ),
        _table(
            "breaks",
            "case_id",
            "case_id:text platform:text sides:text subject:text kind:text amount_minor:int as_of:date evidence_digest:text "
            "evidence:text cause:text?",
        ),
        # How each break that stood yesterday and stands no more was ended (custody.closings): of ``refs_in_all`` decisions, files or
        # rows the first ones, as a JSON list.
        _table("closings", "case_id", "case_id:text how:text refs:text refs_in_all:int"),
        _table("open_items", "relation side row_ref", ITEM_COLUMNS),
        # Two rows that stand alone and may be one movement (custody.cascade): for a person, nothing matches by them.
        _table(
            "suggestions",
            "relation left_ref right_ref",
            "relation:text platform:text left_ref:text right_ref:text left_subject:text right_subject:text amount_minor:int rule:text",
        ),
        # Batches of settlement that are open, and those that closed today (custody.settlement). Sums are signed: money in is positive.
        _table(
            "settlement_batches",
            "platform settlement_batch",
            "platform:text settlement_batch:text channel:text expected_on:date rows:int own_minor:int net_minor:int faulty_rows:int "
            "instructions:int instructed_minor:int core_flows:int core_minor:int last_core_date:date? state:text",
        ),
        # Accounts whose balances, as the platform files them, do not follow from its own movements: by date, until they cancel out.
        _table(
            "shadow_differences",
            "platform account as_of",
            "platform:text account:text as_of:date available_minor:int frozen_minor:int before_available_minor:int "
            "before_frozen_minor:int after_available_minor:int after_frozen_minor:int moved_available_minor:int "
            "moved_frozen_minor:int awaited_available_minor:int awaited_frozen_minor:int movements:int before_ref:text? after_ref:text?",
        ),
        # Of each (party, date) of which something came late, was restated or given up: the next version, with what it changed.
        _table(
            "assessments",
            "party assessed_date version file_type file_name relation side bucket rule",
            "party:text assessed_date:date version:int cause:text file_type:text file_name:text replaces:text? relation:text side:text "
            "bucket:text rule:text rows_before:int rows_after:int minor_before:int minor_after:int",
        ),
        # Keys that were matched on an earlier day by a row of a file that is withdrawn today.
        _table("released_keys", "relation match_key", "relation:text match_key:text"),
        # Of each file that is withdrawn today: its rows, and what they had matched (the other side), which is in the books again.
        _table(
            "withdrawn",
            "file_name relation side",
            "file_name:text replaced_by:text relation:text side:text reopened:int withdrawn:int reopened_minor:int withdrawn_minor:int",
        ),
        _table(
            "proof",
            "relation side",
            "relation:text side:text carried_in:int reopened:int new:int matched:int broken:int carried:int withdrawn:int rejected:int "
            "carried_in_minor:int reopened_minor:int new_minor:int matched_minor:int broken_minor:int carried_minor:int "
            "withdrawn_minor:int rejected_minor:int "
            "trailer_rows:int trailer_minor:int rows_digest:text? buckets_digest:text? holds:bool",
        ),
        # The path of loans' money (custody/funds_paths.py): the day's legs; all days' by loan and way, of these what left the
        # borrower's own account; and what lies where at the end of the day. A node is a sub-account, or PLATFORM.CARD.CUSTOMER_ID.
        _table(
            "funds_paths",
            "platform loan_id hop source entry_no way",
            "platform:text loan_id:text hop:int source:text entry_no:int way:text request_no:text? target:text? other_loan:text? "
            "amount_minor:int",
        ),
        _table(
            "funds_sums", "platform loan_id way", "platform:text loan_id:text way:text amount_minor:int from_borrower_minor:int"
        ),
        _table(
            "funds_lots",
            "platform node at_minor",
            "platform:text node:text at_minor:int amount_minor:int loan_id:text hop:int since:date",
        ),
        # What was paid on each loan that runs, or was settled a short while ago: what was due, how the request that paid it splits it, how
        # we do, and the day on which we last came to another word on it (custody.payment_parts).
        _table(
            "repayments",
            "platform loan_id request_no txn_type",
            "platform:text loan_id:text request_no:text txn_type:text paid_on:date paid_at:time legs:int amount_minor:int "
            "principal_minor:int interest_minor:int penalty_minor:int due_principal_minor:int due_interest_minor:int "
            "due_penalty_minor:int our_principal_minor:int? our_interest_minor:int? our_penalty_minor:int? verdict:text told_on:date",
        ),
        # Each figure that a platform published, in a file that landed today, beside ours: AGREES, DIFFERS or NOT_JUDGED. Shares are text of
        # four decimals, amounts minor units; ``loans``: how many loans are behind ours.
        _table(
            "disclosures",
            "platform as_of figure file_name line_no",
            "platform:text as_of:date figure:text published:text ours:text? verdict:text loans:int file_name:text line_no:int",
        ),
        # compliance (custody.compliance). ``platform`` is "" of what is about a customer over all of them; ``rows_in_all`` stand behind
        # it, of which the first ones are in compliance_rows.
        _table(
            "compliance_findings",
            "finding_id",
            "finding_id:text rule:text version:int platform:text subject:text occurrence:text severity:text disclosure:text amount_minor:int "
            "figures:text words_en:text words_zh:text rows_in_all:int",
        ),
        _table(
            "compliance_rows",
            "finding_id row_no",
            "finding_id:text row_no:int source:text platform:text ref:text on_date:date amount_minor:int entry_no:int? request_no:text? "
            "txn_type:text? file_name:text? line_no:int?",
        ),
        # What of confidential findings stands in a file for filing (custody.services.aml_filings): ``on_date`` as the file says it.
        _table(
            "filing_rows",
            "finding_id row_no",
            "finding_id:text row_no:int rule:text customer_id:text customer_kind:text platform:text account:text on_date:date way:text "
            "amount_minor:int due_on:date grounds:text",
        ),
        # What a date could not tell, since a file has not come: ``platform`` and ``subject`` are "" of all.
        _table("compliance_unjudged", "rule platform subject", "rule:text platform:text subject:text"),
        # What moved on each account by what is posted today, by date of value. ``spent_minor``: to others here; ``credit_minor``: all
        # that came from elsewhere; ``acts``: what its owner did.
        _table(
            "account_days",
            "platform account on_date",
            "platform:text account:text on_date:date customer_id:text kind:text in_minor:int in_count:int out_minor:int out_count:int "
            "lent_minor:int spent_minor:int sold_minor:int sold_count:int credit_minor:int acts:int",
        ),
        # Of each customer who ever did anything: the last date on which he did.
        _table("last_acts", "customer_id", "customer_id:text last_on:date"),
        # Keyed digests of the card and phone numbers of open borrowers and of related parties, and where they were said.
        _table(
            "contact_digests",
            "sub_account field",
            "platform:text sub_account:text field:text digest:text since:date file_name:text line_no:int",
        ),
        # Today's posted assignments of claims; seller and buyer are customer ids, ``account`` is the seller's.
        _table(
            "claims_sold",
            "platform entry_no",
            "platform:text entry_no:int seller:text buyer:text account:text loan_id:text? amount_minor:int",
        ),
        # What was repaid on a platform today, and what of it came out of other loans.
        _table("platform_days", "platform", "platform:text repaid_minor:int repaid_by_new_minor:int"),
        # fees
        # ``state``: the charging period so far (custody.fees); ``accrued_minor``: gross, since the first day under contract.
        _table(
            "fee_accruals",
            "platform",
            "platform:text accrual_date:date period:text base_minor:int net_minor:int vat_minor:int gross_minor:int "
            "accrued_minor:int currency:text vat_rate:text rounding:text state:text",
        ),
        # What the day says of itself, and of earlier days to which something belongs that it posted: by transaction type, or ``balance`` (the
        # base), ``account_opened``, ``sms``, ``identity_check``.
        _table(
            "fee_facts",
            "platform fact_date component",
            "platform:text fact_date:date component:text pieces:int minor:int",
        ),
        # What each component came to on the day: exact minor units as a fraction, ``remaining`` of 1 left to pay after discounts.
        _table(
            "fee_lines",
            "platform line_no",
            "platform:text line_no:int component:text quantity:int terms:text remaining:text fee:text",
        ),
        # INV_11 of each platform, since its first day; what is written off by charge; what the bank itself enters the next day.
        _table(
            "fee_positions",
            "platform",
            "platform:text accrued_minor:int charged_minor:int collected_minor:int written_off_minor:int to_give_back_minor:int",
        ),
        _table("fee_write_offs", "charge_no", "platform:text charge_no:text left_minor:int"),
        _table(
            "fee_entries",
            "platform request_no leg",
            "platform:text request_no:text leg:int direction:text amount_minor:int fee_minor:int currency:text charge_no:text",
        ),
        # A period that has ended and was rated anew: what it came to before and comes to now, the newest of each; carried from day to
        # day. ``before_on``: whose fees step had said what it was before. ``rated_on``'s has its lines, day by day.
        _table(
            "fee_reratings",
            "platform period",
            "platform:text period:text first:date last:date rated_on:date before_on:date net_before_minor:int vat_before_minor:int "
            "net_minor:int vat_minor:int currency:text state:text",
        ),
        _table(
            "fee_rerated_lines",
            "platform accrual_date line_no",
            "platform:text accrual_date:date line_no:int component:text quantity:int terms:text remaining:text fee:text",
        ),
        # Terms that two people agreed for days that were sealed already (custody.services.fee_amendments), in order of decision.
        _table(
            "fee_amendments",
            "decision_no",
            "decision_no:int proposal_id:text platform:text valid_from:date valid_to:date terms:text",
        ),
        # The first day whose balance counts for the next credit of bank interest.
        _table("interest_since", "platform", "platform:text since:date"),
        # risk
        _table(
            "loan_risk",
            "platform loan_id",
            "platform:text loan_id:text borrower:text currency:text outstanding_minor:int due_so_far_minor:int "
            "paid_minor:int overdue_minor:int overdue_since:date? days_past_due:int "
            "bucket:text next_due:date? next_due_minor:int shortfall_minor:int",
        ),
        # How each platform's loans stand at the end of the date, and how they moved since the day before (jobs/risk/portfolio.py).
        _table(
            "portfolio",
            "platform currency",
            "platform:text currency:text loans:int outstanding_minor:int overdue_minor:int overdue_loans:int overdue_over_90_minor:int "
            "overdue_over_90_loans:int largest_borrower:text largest_minor:int ten_largest_minor:int related_loans:int related_minor:int",
        ),
        _table(
            "bucket_moves",
            "platform bucket_before bucket",
            "platform:text bucket_before:text bucket:text loans:int paid_minor:int overdue_before_minor:int overdue_minor:int",
        ),
        # Who will lack money for the instalments of the forecast's days, since when, and for which loan first; and by day.
        _table(
            "borrowers_short",
            "borrower",
            "platform:text borrower:text currency:text available_minor:int short_on:date loan_id:text short_minor:int",
        ),
        _table(
            "shortage_forecast",
            "platform currency due",
            "platform:text currency:text due:date items:int items_short:int due_minor:int short_minor:int",
        ),
        # Whether platforms' own accounts and the custody account will do (custody.platform_funds): at the end of the date and of each bank
        # business day ahead, what is there and what is needed up to it; and the sums behind that, each from the day on which it counts.
        _table(
            "platform_funds",
            "platform concern account on_date",
            "platform:text concern:text account:text on_date:date currency:text have_minor:int need_minor:int short_minor:int",
        ),
        _table(
            "platform_funds_items",
            "platform concern account item due_on",
            "platform:text concern:text account:text item:text is_need:bool due_on:date currency:text amount_minor:int rows:int",
        ),
        # Custody fees that are due still, by charging period: FEE_ARREAR, FEE_NOTICED or FEE_ACCRUED.
        _table(
            "fees_due",
            "platform period",
            "platform:text period:text ends_on:date due_on:date gross_minor:int left_minor:int state:text",
        ),
        # Each request by which another paid a borrower's lenders, for as many days as a rule looks back; and what platforms' compensation
        # accounts hold (custody.compensation).
        _table(
            "compensations",
            "platform loan_id request_no",
            "platform:text loan_id:text request_no:text borrower:text compensator:text currency:text on_date:date amount_minor:int",
        ),
        _table("reserves", "platform", "platform:text currency:text before_minor:int closing_minor:int"),
        _table(
            "alerts",
            "alert_id",
            "alert_id:text rule:text platform:text subject:text severity:text figures:text words_en:text words_zh:text",
        ),
        # What each platform says of the result of each date (custody.confirmations); said_in: FILE:LINE.
        _table(
            "confirmations",
            "platform result_date",
            "platform:text result_date:date result:text seal:text due_on:date state:text said_in:text? said_on:date? disputed_rows:int "
            "remark:text?",
        ),
        # statement
        _table(
            "statement_lines",
            "sub_account line_no",
            "sub_account:text line_no:int entry_no:int? txn_type:text request_no:text? leg:int? event_time:time? value_date:date "
            "available_change_minor:int frozen_change_minor:int amount_minor:int available_minor:int frozen_minor:int "
            "balance_minor:int currency:text loan_id:text?",
        ),
        # report
        # Each figure of the drafts: ``key`` is the JSON list of the values by which it is told apart, in its table's order; ``value``:
        # minor units, a number or ten-thousandths, as ``unit`` says; ``cell``: where it stands in the workbook ``file_name``.
        _table(
            "report_figures",
            "report period party table_id figure key is_total",
            "report:text version:int period:text party:text table_id:text key:text is_total:bool figure:text unit:text value:int? "
            "file_name:text cell:text",
        ),
        # close
        _table("day_root", "step", "step:text version:int manifest_digest:text"),
    )
}
