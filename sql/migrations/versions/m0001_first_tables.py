"""The register's first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "alert",
        sa.Column("alert_id", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("platform", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(length=200), nullable=False),
        sa.Column("raised_on", sa.Date(), nullable=False),
        sa.Column("last_seen_on", sa.Date(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("words_en", sa.Text(), nullable=False),
        sa.Column("words_zh", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("acknowledged_by", sa.String(length=200), nullable=True),
        sa.Column("sent_at", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("alert_id"),
    )
    op.create_table(
        "audit_event",
        sa.Column("event_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("event_no"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "file",
        sa.Column("file_name", sa.String(length=80), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("party", sa.String(length=200), nullable=False),
        sa.Column("file_type", sa.String(length=200), nullable=False),
        sa.Column("custody_date", sa.Date(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("rule", sa.String(length=200), nullable=True),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("layout", sa.String(length=200), nullable=True),
        sa.Column("encoding", sa.String(length=200), nullable=True),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("totals", sa.Text(), nullable=False),
        sa.Column("archive_ref", sa.String(length=200), nullable=True),
        sa.Column("seal_name", sa.String(length=200), nullable=True),
        sa.Column("received_at", sa.String(length=200), nullable=False),
        sa.Column("cut_off_date", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("file_name", "sha256"),
    )
    op.create_table(
        "file_event",
        sa.Column("event_no", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=200), nullable=False),
        sa.Column("event", sa.String(length=200), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("at", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("event_no"),
    )
    op.create_table(
        "holiday",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("business_day", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "outbound",
        sa.Column("file_name", sa.String(length=80), nullable=False),
        sa.Column("party", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=200), nullable=False),
        sa.Column("archive_ref", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("queued_at", sa.String(length=200), nullable=False),
        sa.Column("delivered_at", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("file_name"),
    )
    op.create_table(
        "party",
        sa.Column("party", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("name_zh", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=200), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("party"),
    )
    op.create_table(
        "person",
        sa.Column("person_id", sa.String(length=60), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
    )
    op.create_table(
        "proposal",
        sa.Column("proposal_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("maker", sa.String(length=200), nullable=False),
        sa.Column("proposed_at", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("checker", sa.String(length=200), nullable=True),
        sa.Column("decided_at", sa.String(length=200), nullable=True),
        sa.Column("decision_no", sa.Integer(), nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id"),
        sa.UniqueConstraint("decision_no"),
    )
    op.create_table(
        "publication",
        sa.Column("custody_date", sa.Date(), nullable=False),
        sa.Column("step", sa.String(length=30), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("manifest_digest", sa.String(length=200), nullable=False),
        sa.Column("published_at", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("custody_date", "step", "version"),
    )
    op.create_table(
        "recon_case",
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("platform", sa.String(length=200), nullable=False),
        sa.Column("sides", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("severity", sa.String(length=200), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("last_seen_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("closed_by", sa.String(length=200), nullable=True),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("evidence_digest", sa.String(length=200), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=True),
        sa.Column("owner", sa.String(length=60), nullable=True),
        sa.PrimaryKeyConstraint("case_id"),
    )
    op.create_table(
        "step_output",
        sa.Column("custody_date", sa.Date(), nullable=False),
        sa.Column("step", sa.String(length=30), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("run_digest", sa.String(length=200), nullable=False),
        sa.Column("inputs_digest", sa.String(length=200), nullable=False),
        sa.Column("manifest_digest", sa.String(length=200), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("code_digest", sa.String(length=200), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("committed_at", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("custody_date", "step", "version"),
    )


def downgrade() -> None:

    op.drop_table("step_output")
    op.drop_table("recon_case")
    op.drop_table("publication")
    op.drop_table("proposal")
    op.drop_table("person")
    op.drop_table("party")
    op.drop_table("outbound")
    op.drop_table("lease")
    op.drop_table("holiday")
    op.drop_table("file_event")
    op.drop_table("file")
    op.drop_table("audit_event")
    op.drop_table("alert")
