"""Fewer indexes to write for each event: one instead of two for source events, one instead of two for values."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.drop_index("ix_source_events_artifact", "source_events")
    op.create_index("ix_source_events_artifact", "source_events", ["artifact", "id"], unique=True)
    op.drop_index("ix_source_events_id", "source_events")
    op.drop_index("ix_artifact_values_value", "artifact_values")
    op.create_index("ix_artifact_values_value", "artifact_values", ["value", "strong", "names_itself", "artifact"])
    op.drop_index("ix_artifact_values_named", "artifact_values")


def downgrade() -> None:
    op.create_index("ix_source_events_id", "source_events", ["id"], unique=True)
    op.drop_index("ix_source_events_artifact", "source_events")
    op.create_index("ix_source_events_artifact", "source_events", ["artifact"])
    op.create_index("ix_artifact_values_named", "artifact_values", ["value", "names_itself", "artifact"])
    op.drop_index("ix_artifact_values_value", "artifact_values")
    op.create_index("ix_artifact_values_value", "artifact_values", ["value", "strong", "artifact"])
