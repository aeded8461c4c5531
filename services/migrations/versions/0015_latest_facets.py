"""What requests are found by in the order of updates has a table of its own: an update moves no other index."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "latest_facets",
        sa.Column("kind", _KEY, nullable=False),
        sa.Column("value", _KEY, nullable=False),
        sa.Column("updated_at", _KEY, nullable=False),
        sa.Column("request", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "updated_at", "request", name=op.f("pk_latest_facets")),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO latest_facets SELECT kind, value, updated_at, request FROM facets ORDER BY 1, 2, 3, 4")
    op.create_index("ix_latest_facets_request", "latest_facets", ["request"])
    with op.batch_alter_table("facets", schema=None) as batch_op:
        batch_op.drop_index("ix_facets_updated")
        batch_op.drop_column("updated_at")


def downgrade() -> None:
    op.add_column("facets", sa.Column("updated_at", _KEY, nullable=False, server_default=""))
    op.execute("UPDATE facets SET updated_at = (SELECT r.updated_at FROM requests r WHERE r.id = facets.request)")
    with op.batch_alter_table("facets", schema=None) as batch_op:
        batch_op.alter_column("updated_at", server_default=None)
    op.create_index("ix_facets_updated", "facets", ["kind", "value", "updated_at", "request"])
    op.drop_table("latest_facets")
