"""Who may read what a connection brought."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audiences",
        sa.Column("connection", _KEY, nullable=False),
        sa.Column("kind", _KEY, nullable=False),
        sa.Column("people", sa.Text(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_audiences")),
    )


def downgrade() -> None:
    op.drop_table("audiences")
