"""The first identities of an address are read by an index, however many have it."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.drop_index("ix_identities_address", "identities")
    op.create_index("ix_identities_address", "identities", ["address", "id"])


def downgrade() -> None:
    op.drop_index("ix_identities_address", "identities")
    op.create_index("ix_identities_address", "identities", ["address"])
