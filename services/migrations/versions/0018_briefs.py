"""What lists show of a record stands beside it; PostgreSQL packs what is long by lz4, where it can: half the work."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

LONG = (("source_events", "event"), ("artifacts", "fields"), ("activities", "body"), ("requests", "record"))


def upgrade() -> None:
    op.add_column("requests", sa.Column("brief", sa.Text(), nullable=False, server_default=""))
    known = "SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
    if op.get_bind().dialect.name == "postgresql" and op.get_bind().execute(sa.text(known)).scalar():
        _packed_by("lz4")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _packed_by("default")
    with op.batch_alter_table("requests") as requests:
        requests.drop_column("brief")


def _packed_by(method: str) -> None:
    for table, column in LONG:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET COMPRESSION {method}")
