"""What the desk's pages look up among years of rows: cases and alerts by party and day, the audit trail by what was done to what"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_recon_case_state", "recon_case", ["state", "platform"]),
    ("ix_alert_raised_on", "alert", ["raised_on", "platform"]),
    ("ix_alert_platform", "alert", ["platform", "state"]),
    ("ix_audit_event_subject", "audit_event", ["subject", "event_no"]),
    ("ix_proposal_state", "proposal", ["state", "kind"]),
)
_OF_A_DATE = "ix_expected_file_custody_date"


def upgrade() -> None:
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns)
    # With the state, how many files stand in which is counted from the index alone.
    op.drop_index(_OF_A_DATE, "expected_file")
    op.create_index(_OF_A_DATE, "expected_file", ["custody_date", "party", "state"])


def downgrade() -> None:
    for name, table, _ in _INDEXES:
        op.drop_index(name, table)
    op.drop_index(_OF_A_DATE, "expected_file")
    op.create_index(_OF_A_DATE, "expected_file", ["custody_date", "party"])
