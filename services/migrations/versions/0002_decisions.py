"""Decisions of people about correlation."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("kind", _KEY, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("by", _KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undoes", _NUMBER, nullable=True),
        sa.Column("undone_by", _NUMBER, nullable=True),
        sa.Column("key", _KEY, nullable=True),
        sa.Column("asked", _KEY, nullable=False),
        sa.Column("did", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_key", "decisions", ["key"], unique=True)
    op.create_table(
        "decided",
        sa.Column("name", _KEY, nullable=False),
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("joins", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", "number", name=op.f("pk_decided")),
    )
    op.create_index("ix_decided_number", "decided", ["number"])


def downgrade() -> None:
    op.drop_table("decided")
    op.drop_table("decisions")
