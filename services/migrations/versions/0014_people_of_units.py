"""Who takes part in what is compared for suggestions: it is looked at again when somebody is known otherwise."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "unit_people",
        sa.Column("identity", _KEY, nullable=False),
        sa.Column("unit", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("identity", "unit", name=op.f("pk_unit_people")),
    )
    op.create_index("ix_unit_people_unit", "unit_people", ["unit"])


def downgrade() -> None:
    op.drop_table("unit_people")
