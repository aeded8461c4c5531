"""Values that many artifacts name are found by index."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_MANY = sa.text("mentions > 20")


def upgrade() -> None:
    op.create_index(
        "ix_reference_values_mentions",
        "reference_values",
        ["mentions"],
        postgresql_where=_MANY,
        sqlite_where=_MANY,
    )


def downgrade() -> None:
    op.drop_index("ix_reference_values_mentions", "reference_values")
