"""Suggestions: what is compared, what was found, and what people answered."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "unit_marks",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("unit", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_unit_marks")),
    )
    op.create_table(
        "units",
        sa.Column("unit", _KEY, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_units")),
    )
    op.create_table(
        "unit_blocks",
        sa.Column("block", _KEY, nullable=False),
        sa.Column("unit", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("block", "unit", name=op.f("pk_unit_blocks")),
    )
    op.create_index("ix_unit_blocks_unit", "unit_blocks", ["unit"])
    op.create_table(
        "block_sizes",
        sa.Column("block", _KEY, nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("block", name=op.f("pk_block_sizes")),
    )
    op.create_table(
        "uncompared",
        sa.Column("unit", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_uncompared")),
    )
    op.create_table(
        "suggestions",
        sa.Column("left_unit", _KEY, nullable=False),
        sa.Column("right_unit", _KEY, nullable=False),
        sa.Column("id", _KEY, nullable=False),
        sa.Column("left", _KEY, nullable=False),
        sa.Column("right", _KEY, nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("worth", sa.Float(), nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("evidence", _KEY, nullable=False),
        sa.Column("model", sa.Integer(), nullable=False),
        sa.Column("computed_at", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("left_unit", "right_unit", name=op.f("pk_suggestions")),
    )
    for name, columns in (
        ("id", ["id"]), ("left", ["left"]), ("right", ["right"]), ("right_unit", ["right_unit"]),
        ("worth", ["worth", "id"]),
    ):  # fmt: skip
        op.create_index(f"ix_suggestions_{name}", "suggestions", columns)
    op.create_table(
        "suggestion_answers",
        sa.Column("left", _KEY, nullable=False),
        sa.Column("right", _KEY, nullable=False),
        sa.Column("id", _KEY, nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("answer", _KEY, nullable=True),
        sa.Column("by", _KEY, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("left", "right", name=op.f("pk_suggestion_answers")),
    )
    op.create_index("ix_suggestion_answers_id", "suggestion_answers", ["id"])
    op.create_index("ix_suggestion_answers_right", "suggestion_answers", ["right"])
    op.create_index("ix_suggestion_answers_offered", "suggestion_answers", ["offered_at"])


def downgrade() -> None:
    for name in (
        "suggestion_answers", "suggestions", "uncompared", "block_sizes", "unit_blocks", "units", "unit_marks",
    ):  # fmt: skip
        op.drop_table(name)
