"""A connection's webhook may be entered in its tool by the hub, which remembers where it stands there."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "registrations",
        sa.Column("connection", _KEY, nullable=False),
        sa.Column("urls", sa.Text(), nullable=False),
        sa.Column("attempt", _KEY, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proof", _KEY, nullable=True),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_registrations")),
    )


def downgrade() -> None:
    op.drop_table("registrations")
