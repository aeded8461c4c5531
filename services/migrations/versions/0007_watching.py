"""What is noticed of connections beside their reading."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "hours",
        sa.Column("connection", _KEY, nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "hour", name=op.f("pk_hours")),
    )
    op.create_table(
        "watched",
        sa.Column("connection", _KEY, nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("newest", sa.Text(), nullable=True),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("polled", sa.Integer(), nullable=False),
        sa.Column("budget", sa.Text(), nullable=True),
        sa.Column("silence", sa.Text(), nullable=True),
        sa.Column("fields", sa.Text(), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_watched")),
    )
    op.create_table(
        "checked",
        sa.Column("connection", _KEY, nullable=False),
        sa.Column("step", _KEY, nullable=False),
        sa.Column("well_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "step", name=op.f("pk_checked")),
    )
    op.create_table(
        "notices",
        sa.Column("connection", _KEY, nullable=False),
        sa.Column("kind", _KEY, nullable=False),
        sa.Column("subject", _KEY, nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("mend", sa.Text(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "kind", "subject", name=op.f("pk_notices")),
    )
    op.create_table(
        "failures",
        sa.Column("connection", _KEY, nullable=False),
        sa.Column("cause", _KEY, nullable=False),
        sa.Column("kind", _KEY, nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("mend", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("in_a_row", sa.Integer(), nullable=False),
        sa.Column("place", _KEY, nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "cause", name=op.f("pk_failures")),
    )
    op.create_table(
        "reconciles",
        sa.Column("connection", _KEY, nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("mend", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_reconciles")),
    )
    op.create_table(
        "differences",
        sa.Column("connection", _KEY, nullable=False),
        sa.Column("kind", _KEY, nullable=False),
        sa.Column("artifact", _KEY, nullable=False),
        sa.Column("theirs", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ours", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", "kind", "artifact", name=op.f("pk_differences")),
    )
    op.create_table(
        "listed",
        sa.Column("connection", _KEY, nullable=False),
        sa.Column("artifact", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("connection", "artifact", name=op.f("pk_listed")),
    )


def downgrade() -> None:
    for name in ("hours", "watched", "checked", "notices", "failures", "reconciles", "differences", "listed"):
        op.drop_table(name)
