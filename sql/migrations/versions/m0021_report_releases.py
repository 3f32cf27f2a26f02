"""Drafts of reports, their release and what their recipients answered"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def _key(primary: bool) -> list[sa.Column]:
    return [
        sa.Column("report_id", sa.String(60), primary_key=primary, nullable=False),
        sa.Column("period", sa.String(20), primary_key=primary, nullable=False),
        sa.Column("scope", sa.String(10), primary_key=primary, nullable=False),
        sa.Column("draft_no", sa.Integer(), primary_key=primary, nullable=False, autoincrement=False),
    ]


def upgrade() -> None:
    op.create_table(
        "report_release",
        *_key(True),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("custody_date", sa.Date(), nullable=False),
        sa.Column("step_version", sa.Integer(), nullable=False),
        sa.Column("manifest_digest", sa.String(200), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("seal_name", sa.String(200), nullable=False),
        sa.Column("content_digest", sa.String(200), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("state", sa.String(200), nullable=False),
        sa.Column("release_no", sa.Integer(), nullable=True),
        sa.Column("proposal_id", sa.String(200), nullable=True),
        sa.Column("explanations", sa.Text(), nullable=False),
        sa.Column("package_name", sa.String(200), nullable=True),
        sa.Column("package_sha256", sa.String(200), nullable=True),
        sa.Column("package_ref", sa.String(200), nullable=True),
        sa.Column("drafted_at", sa.String(200), nullable=False),
    )
    op.create_index("ix_report_release_state", "report_release", ["state"])
    op.create_table(
        "report_event",
        sa.Column("event_no", sa.Integer(), primary_key=True, autoincrement=False),
        *_key(False),
        sa.Column("state", sa.String(200), nullable=False),
        sa.Column("actor", sa.String(60), nullable=False),
        sa.Column("at", sa.String(200), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
    )
    op.create_index("ix_report_event_report", "report_event", ["report_id", "period", "scope"])
    op.create_table(
        "report_delivery",
        sa.Column("file_name", sa.String(80), primary_key=True),
        *_key(False),
        sa.Column("party", sa.String(10), nullable=False),
        sa.Column("outcome", sa.String(200), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("receipt_ref", sa.String(200), nullable=True),
        sa.Column("receipt_sha256", sa.String(200), nullable=True),
        sa.Column("answered_at", sa.String(200), nullable=True),
    )
    op.create_index("ix_report_delivery_report", "report_delivery", ["report_id", "period", "scope", "draft_no"])


def downgrade() -> None:
    for table in ("report_delivery", "report_event", "report_release"):
        op.drop_table(table)
