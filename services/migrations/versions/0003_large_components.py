"""Components know their size; what holds the very large ones together is kept by name."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("components", sa.Column("size", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE components SET size = (SELECT count(*) FROM members WHERE members.component = components.id)")
    op.create_table(
        "glue",
        sa.Column("component", _KEY, nullable=False),
        sa.Column("value", _KEY, nullable=False),
        sa.Column("artifacts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("component", "value", name=op.f("pk_glue")),
    )


def downgrade() -> None:
    op.drop_table("glue")
    op.drop_column("components", "size")
