"""the first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "activities",
        sa.Column("key", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("artifact", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("at", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("actor", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.Column("order", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_activities")),
    )
    with op.batch_alter_table("activities", schema=None) as batch_op:
        batch_op.create_index("ix_activities_actor", ["actor"], unique=False)
        batch_op.create_index("ix_activities_artifact", ["artifact", "at", "key"], unique=False)

    op.create_table(
        "applied_offsets",
        sa.Column("topic", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("next", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "incarnation", name=op.f("pk_applied_offsets")),
    )
    op.create_table(
        "artifact_values",
        sa.Column("artifact", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("part", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("value", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("names_itself", sa.Boolean(), nullable=False),
        sa.Column("strong", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("artifact", "part", "value", name=op.f("pk_artifact_values")),
    )
    with op.batch_alter_table("artifact_values", schema=None) as batch_op:
        batch_op.create_index("ix_artifact_values_named", ["value", "names_itself", "artifact"], unique=False)
        batch_op.create_index("ix_artifact_values_value", ["value", "strong", "artifact"], unique=False)

    op.create_table(
        "artifacts",
        sa.Column("id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("connection", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("connector", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.Column("natural_key", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifacts")),
    )
    with op.batch_alter_table("artifacts", schema=None) as batch_op:
        batch_op.create_index("ix_artifacts_connection", ["connection", "kind"], unique=False)

    op.create_table(
        "changes",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("request", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("merged_into", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.Column("etag", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_changes")),
    )
    with op.batch_alter_table("changes", schema=None) as batch_op:
        batch_op.create_index("ix_changes_request", ["request", "number"], unique=False)
        batch_op.create_index("ix_changes_unsent", ["sent", "number"], unique=False)

    op.create_table(
        "components",
        sa.Column("id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_components")),
    )
    op.create_table(
        "connections",
        sa.Column("id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("connector", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("title", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("true_up_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("alive_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_read_done", sa.Boolean(), nullable=False),
        sa.Column("progress_done", sa.Integer(), nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("attention", sa.Boolean(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("census_cursor", sa.Text(), nullable=True),
        sa.Column("census_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("connection", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("cause", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("origin", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("event", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("note", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.create_index("ix_dead_letters_state", ["state", "cause", "at"], unique=False)

    op.create_table(
        "deferred",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_deferred")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("deferred", schema=None) as batch_op:
        batch_op.create_index("ix_deferred_kind_name", ["kind", "name"], unique=False)

    op.create_table(
        "facets",
        sa.Column("request", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("value", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("opened_at", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("updated_at", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("stage_since", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("request", "kind", "value", name=op.f("pk_facets")),
    )
    with op.batch_alter_table("facets", schema=None) as batch_op:
        batch_op.create_index("ix_facets_opened", ["kind", "value", "opened_at", "request"], unique=False)
        batch_op.create_index("ix_facets_stage_since", ["kind", "value", "stage_since", "request"], unique=False)
        batch_op.create_index("ix_facets_updated", ["kind", "value", "updated_at", "request"], unique=False)

    op.create_table(
        "identities",
        sa.Column("id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("order", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.Column("address", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.Column("machine", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
    )
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.create_index("ix_identities_address", ["address"], unique=False)

    op.create_table(
        "inbox",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("delivery", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("url", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_inbox")),
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index("ix_inbox_delivery", ["connection", "delivery"], unique=True)
        batch_op.create_index("ix_inbox_open", ["handled_at", "number"], unique=False)

    op.create_table(
        "leases",
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "members",
        sa.Column("artifact", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("component", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("own_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("request", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("artifact", name=op.f("pk_members")),
    )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index("ix_members_component", ["component"], unique=False)
        batch_op.create_index("ix_members_own_id", ["own_id"], unique=True)
        batch_op.create_index("ix_members_request", ["request"], unique=False)

    op.create_table(
        "pages",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("true_up_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("offsets", sa.Text(), nullable=False),
        sa.Column("incarnation", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pages")),
    )
    with op.batch_alter_table("pages", schema=None) as batch_op:
        batch_op.create_index("ix_pages_connection", ["connection", "number"], unique=False)
        batch_op.create_index("ix_pages_open", ["applied_at", "connection", "number"], unique=False)

    op.create_table(
        "parts",
        sa.Column("artifact", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("part", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("order", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("candidates", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("artifact", "part", name=op.f("pk_parts")),
    )
    op.create_table(
        "pending",
        sa.Column("component", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("reason", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("component", "reason", name=op.f("pk_pending")),
    )
    op.create_table(
        "reference_values",
        sa.Column("value", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("value", name=op.f("pk_reference_values")),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("component", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("etag", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("basis", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("problem", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.Column("title", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("stage", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("state", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("opened_at", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("updated_at", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("stage_since", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
    )
    with op.batch_alter_table("requests", schema=None) as batch_op:
        batch_op.create_index("ix_requests_component", ["component"], unique=False)
        batch_op.create_index("ix_requests_opened", ["opened_at", "id"], unique=False)
        batch_op.create_index(
            "ix_requests_problem",
            ["problem"],
            unique=False,
            postgresql_where=sa.text("problem IS NOT NULL"),
            sqlite_where=sa.text("problem IS NOT NULL"),
        )
        batch_op.create_index("ix_requests_stage_since", ["stage_since", "id"], unique=False)
        batch_op.create_index("ix_requests_updated", ["updated_at", "id"], unique=False)

    op.create_table(
        "rules",
        sa.Column("connection", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("connector", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("configuration", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_rules")),
    )
    op.create_table(
        "source_events",
        sa.Column("landed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("connection", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("connector", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("native_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("artifact", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("landed", name=op.f("pk_source_events")),
    )
    with op.batch_alter_table("source_events", schema=None) as batch_op:
        batch_op.create_index("ix_source_events_artifact", ["artifact"], unique=False)
        batch_op.create_index("ix_source_events_connection", ["connection", "kind"], unique=False)
        batch_op.create_index("ix_source_events_id", ["id"], unique=True)

    op.create_table(
        "stamps",
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("value", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_stamps")),
    )
    op.create_table(
        "unpublished",
        sa.Column("request", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("etag", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("request", name=op.f("pk_unpublished")),
    )


def downgrade() -> None:
    op.drop_table("unpublished")
    op.drop_table("stamps")
    with op.batch_alter_table("source_events", schema=None) as batch_op:
        batch_op.drop_index("ix_source_events_id")
        batch_op.drop_index("ix_source_events_connection")
        batch_op.drop_index("ix_source_events_artifact")

    op.drop_table("source_events")
    op.drop_table("rules")
    with op.batch_alter_table("requests", schema=None) as batch_op:
        batch_op.drop_index("ix_requests_updated")
        batch_op.drop_index("ix_requests_stage_since")
        batch_op.drop_index("ix_requests_problem")
        batch_op.drop_index("ix_requests_opened")
        batch_op.drop_index("ix_requests_component")

    op.drop_table("requests")
    op.drop_table("reference_values")
    op.drop_table("pending")
    op.drop_table("parts")
    with op.batch_alter_table("pages", schema=None) as batch_op:
        batch_op.drop_index("ix_pages_open")
        batch_op.drop_index("ix_pages_connection")

    op.drop_table("pages")
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.drop_index("ix_members_request")
        batch_op.drop_index("ix_members_own_id")
        batch_op.drop_index("ix_members_component")

    op.drop_table("members")
    op.drop_table("leases")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_inbox_open")
        batch_op.drop_index("ix_inbox_delivery")

    op.drop_table("inbox")
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.drop_index("ix_identities_address")

    op.drop_table("identities")
    with op.batch_alter_table("facets", schema=None) as batch_op:
        batch_op.drop_index("ix_facets_updated")
        batch_op.drop_index("ix_facets_stage_since")
        batch_op.drop_index("ix_facets_opened")

    op.drop_table("facets")
    op.drop_table("deferred")
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.drop_index("ix_dead_letters_state")

    op.drop_table("dead_letters")
    op.drop_table("connections")
    op.drop_table("components")
    with op.batch_alter_table("changes", schema=None) as batch_op:
        batch_op.drop_index("ix_changes_unsent")
        batch_op.drop_index("ix_changes_request")

    op.drop_table("changes")
    with op.batch_alter_table("artifacts", schema=None) as batch_op:
        batch_op.drop_index("ix_artifacts_connection")

    op.drop_table("artifacts")
    with op.batch_alter_table("artifact_values", schema=None) as batch_op:
        batch_op.drop_index("ix_artifact_values_value")
        batch_op.drop_index("ix_artifact_values_named")

    op.drop_table("artifact_values")
    op.drop_table("applied_offsets")
    with op.batch_alter_table("activities", schema=None) as batch_op:
        batch_op.drop_index("ix_activities_artifact")
        batch_op.drop_index("ix_activities_actor")

    op.drop_table("activities")
