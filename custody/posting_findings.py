"""Which refusals of the ledger are final (domain.md §4): what cannot be posted otherwise waits and is tried again each day."""

from __future__ import annotations

# Nothing that comes later can make these instructions right: the case stays until two people settle it. Any other cause,
# an unknown party among them, can heal (its account is opened, its money arrives), so no decision may end its case.
FINAL_REFUSALS = frozenset(
    {
        "account_kind",
        "allocation",
        "claim_exists",
        "claim_holder",
        "claim_share",
        "coupon_exceeds_amount",
        "fee_exceeds_amount",
        "hold_amount",
        "hold_exists",
        "hold_purpose",
        "incomplete_instruction",
        "later_cause",
        "legal_order_account",
        "legal_order_amount",
        "loan_amount",
        "mandate_expired",
        "mandate_item_limit",
        "mandate_not_yet",
        "mandate_of_another",
        "mandate_revoked",
        "mandate_scope",
        "mandate_total_limit",
        "not_the_borrower",
        "not_the_guarantor",
        "not_the_payee",
        "originator",
        "parts",
        "platform_lends",
        "posted_before",
        "receipt_amount",
        "status_order",
        "unsettled_use",
        "upfront_fee",
    }
)
