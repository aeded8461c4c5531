"""Dead letters by what cures them, with an edited form beside the original; changes of rules that may be sent again."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("dead_letters", sa.Column("sentence", _KEY, nullable=False, server_default=""))
    op.add_column("dead_letters", sa.Column("alike", _KEY, nullable=False, server_default=""))
    op.add_column("dead_letters", sa.Column("edited", sa.LargeBinary(), nullable=True))
    op.add_column("dead_letters", sa.Column("edited_by", _KEY, nullable=True))
    op.add_column("dead_letters", sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("dead_letters", sa.Column("closed_by", _KEY, nullable=True))
    op.add_column("dead_letters", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    _group()
    op.create_index("ix_dead_letters_alike", "dead_letters", ["alike", "state", "at", "id"])
    op.add_column("rule_changes", sa.Column("key", _KEY, nullable=True))
    op.add_column("rule_changes", sa.Column("asked", _KEY, nullable=True))
    op.create_index("ix_rule_changes_key", "rule_changes", ["key"], unique=True)


def _group() -> None:
    """Letters from before are grouped by their cause alone."""
    letters = sa.table(
        "dead_letters", sa.column("connection"), sa.column("cause"), sa.column("sentence"), sa.column("alike")
    )
    here = op.get_bind()
    for name, cause in here.execute(sa.select(letters.c.connection, letters.c.cause).distinct()).all():
        alike = hashlib.sha256(f"{name}\n{cause}".encode()).hexdigest()[:16]
        those = (letters.c.connection == name, letters.c.cause == cause)
        here.execute(sa.update(letters).where(*those).values(sentence=cause, alike=alike))
