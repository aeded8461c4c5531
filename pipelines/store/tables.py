"""Tables of the pipelines. Inputs (source_events, decisions, rules) are never derived; all else follows from them.

Instants inside bulk-written tables are fixed-width UTC text (schemas.canonical.instant): it sorts as the instants do,
is equal on both databases, and is what records are made of.
"""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text, text

from pipelines.store.metadata import Instant, Key, Number, metadata

source_events = Table(
    "source_events",
    metadata,
    # The order of landing. A lower number can become visible later than a higher one, but never once the table was
    # held against writers (see rebuild).
    Column("landed", Number, primary_key=True),
    Column("id", Key, nullable=False),
    Column("connection", Key, nullable=False),
    Column("connector", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("native_id", Key, nullable=False),
    Column("artifact", Key, nullable=False),
    Column("event", Text, nullable=False),  # the whole source event as it came, JSON
    # Ids alone would lie spread over an index of all that was ever told; beneath its artifact an id is as unique.
    Index("ix_source_events_artifact", "artifact", "id", unique=True),
    Index("ix_source_events_connection", "connection", "kind"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Key, primary_key=True),
    Column("connection", Key, nullable=False),  # of the connection that comes first by name, if several read it
    Column("connector", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("fields", Text, nullable=False),  # JSON: field -> [order, rank, value]; the latest telling wins by field
    Column("created_at", Key),
    Column("natural_key", Key),
    Index("ix_artifacts_connection", "connection", "kind"),
)

parts = Table(
    "parts",
    metadata,
    Column("artifact", Key, primary_key=True),
    Column("part", Key, primary_key=True),
    Column("order", Number, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("digest", Key, nullable=False),
    Column("candidates", Text, nullable=False),  # JSON list of references
)

artifact_values = Table(
    "artifact_values",
    metadata,
    Column("artifact", Key, primary_key=True),
    Column("part", Key, primary_key=True),
    Column("value", Key, primary_key=True),
    Column("names_itself", Boolean, nullable=False),  # then it is strong too
    Column("strong", Boolean, nullable=False),  # it names itself, or the tool itself states it: never generic
    Index("ix_artifact_values_value", "value", "strong", "names_itself", "artifact"),
)

reference_values = Table(
    "reference_values",
    metadata,
    Column("value", Key, primary_key=True),
    Column("mentions", Integer, nullable=False),  # how many artifacts mention it without more
    Index(
        "ix_reference_values_mentions",
        "mentions",
        postgresql_where=text("mentions > 20"),
        sqlite_where=text("mentions > 20"),
    ),
)

components = Table(
    "components",
    metadata,
    Column("id", Key, primary_key=True),
    Column("size", Integer, nullable=False, server_default="0"),  # how many artifacts are in it
)

glue = Table(
    "glue",
    metadata,
    Column("component", Key, primary_key=True),  # a very large one
    Column("value", Key, primary_key=True),  # what holds many of its artifacts together
    Column("artifacts", Integer, nullable=False),  # how many
)

members = Table(
    "members",
    metadata,
    Column("artifact", Key, primary_key=True),
    Column("component", Key, nullable=False),
    Column("own_id", Key, nullable=False),  # the request id that this artifact owns for ever
    Column("request", Key),  # the request it is in now; NULL: in no request
    Index("ix_members_component", "component"),
    Index("ix_members_own_id", "own_id", unique=True),
    Index("ix_members_request", "request"),
)

activities = Table(
    "activities",
    metadata,
    Column("key", Key, primary_key=True),
    Column("artifact", Key, nullable=False),
    Column("at", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("actor", Key),
    Column("order", Number, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("digest", Key, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("body", Text, nullable=False),  # JSON of the activity
    Index("ix_activities_artifact", "artifact", "at", "key"),
    Index("ix_activities_actor", "actor"),
)

identities = Table(
    "identities",
    metadata,
    Column("id", Key, primary_key=True),
    Column("order", Number, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("digest", Key, nullable=False),
    Column("name", Key),
    Column("address", Key),
    Column("machine", Boolean, nullable=False),
    Index("ix_identities_address", "address", "id"),
)

requests = Table(
    "requests",
    metadata,
    Column("id", Key, primary_key=True),
    Column("component", Key, nullable=False),
    Column("record", Text, nullable=False),  # canonical text
    Column("etag", Key, nullable=False),
    Column("basis", Key, nullable=False),  # digest of members and links: unchanged means nothing to correlate anew
    Column("problem", Key),  # why it is not up to date; NULL: it is
    Column("title", Key, nullable=False),
    Column("stage", Key, nullable=False),
    Column("state", Key, nullable=False),
    Column("opened_at", Key, nullable=False),  # sort keys: "" where unknown
    Column("updated_at", Key, nullable=False),
    Column("stage_since", Key, nullable=False),
    Column("brief", Text, nullable=False, server_default=""),  # of the record, what a list shows; "": not written yet
    Index("ix_requests_component", "component"),
    Index(
        "ix_requests_problem",
        "problem",
        postgresql_where=text("problem IS NOT NULL"),
        sqlite_where=text("problem IS NOT NULL"),
    ),
    Index("ix_requests_updated", "updated_at", "id"),
    Index("ix_requests_opened", "opened_at", "id"),
    Index("ix_requests_stage_since", "stage_since", "id"),
)

facets = Table(
    "facets",
    metadata,
    Column("request", Key, primary_key=True),
    Column("kind", Key, primary_key=True),  # stage, state, tool, connection, person, unit, project, word; counts
    Column("value", Key, primary_key=True),
    Column("opened_at", Key, nullable=False),
    Column("stage_since", Key, nullable=False),
    Index("ix_facets_opened", "kind", "value", "opened_at", "request"),
    Index("ix_facets_stage_since", "kind", "value", "stage_since", "request"),
)

latest_facets = Table(  # the same in the order of updates: every update moves them, and would move all indexes above
    "latest_facets",
    metadata,
    Column("kind", Key, primary_key=True),
    Column("value", Key, primary_key=True),
    Column("updated_at", Key, primary_key=True),
    Column("request", Key, primary_key=True),
    Index("ix_latest_facets_request", "request"),
    sqlite_with_rowid=False,
)

unpublished = Table(
    "unpublished",
    metadata,
    Column("request", Key, primary_key=True),
    Column("etag", Key, nullable=False),  # of the record, or "-> <id>" for an id that now redirects
)

changes = Table(
    "changes",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("request", Key, nullable=False),
    Column("merged_into", Key),
    Column("etag", Key, nullable=False),
    Column("at", Instant, nullable=False),
    Column("sent", Boolean, nullable=False),
    Index("ix_changes_request", "request", "number"),
    Index("ix_changes_unsent", "sent", "number"),
)

deferred = Table(
    "deferred",
    metadata,
    Column("number", Number, primary_key=True),
    Column(
        "kind", Key, nullable=False
    ),  # artifact, linked, value, generic, identity; with `large` before it: see aside
    Column("name", Key, nullable=False),
    Index("ix_deferred_kind_name", "kind", "name"),
    sqlite_autoincrement=True,  # a number never comes again: who waits for one, or deletes it, means that note
)

pending = Table(
    "pending",
    metadata,
    Column("component", Key, primary_key=True),
    Column("reason", Key, primary_key=True),
    Column("at", Instant, nullable=False),  # when it was asked for; of what could not be put together: last tried
)

applied_offsets = Table(
    "applied_offsets",
    metadata,
    Column("topic", Key, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("incarnation", Key, primary_key=True),
    Column("next", Number, nullable=False),  # every record below it is applied
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Key, primary_key=True),  # of the record on its topic, so that a redelivery is no second letter
    Column("connection", Key, nullable=False),
    Column("cause", Key, nullable=False),  # groups letters that one mend may cure
    Column("reason", Text, nullable=False),
    Column("origin", Key, nullable=False),  # topic/partition/offset, or where else it came from
    Column("event", Key),  # id of the source event, where it could be read
    Column("raw", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", Key, nullable=False),  # waiting, wanted, replayed, dropped, set aside
    Column("attempts", Integer, nullable=False),  # replays that failed
    Column("note", Key),  # why it was dropped or cannot be replayed
    Column("sentence", Key, nullable=False, server_default=""),  # what is wrong, without ids and numbers
    Column("alike", Key, nullable=False, server_default=""),  # of all that one mend may cure: see dead_letters
    Column("edited", LargeBinary),  # what a replay publishes in place of `raw`
    Column("edited_by", Key),
    Column("edited_at", Instant),
    Column("closed_by", Key),  # who dropped it
    Column("closed_at", Instant),
    Index("ix_dead_letters_state", "state", "cause", "at"),
    Index("ix_dead_letters_alike", "alike", "state", "at", "id"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("kind", Key, nullable=False),
    Column("body", Text, nullable=False),  # JSON: left, right, reason
    Column("by", Key, nullable=False),
    Column("at", Instant, nullable=False),
    Column("undoes", Number),
    Column("undone_by", Number),  # the decision because of which it does not hold now
    Column("key", Key),  # by which a repeated call finds what it did
    Column("asked", Key, nullable=False),  # digest of what was asked
    Column("did", Text),  # JSON: what it changed when it was taken
    Index("ix_decisions_key", "key", unique=True),
)

decided = Table(
    "decided",
    metadata,
    Column("name", Key, primary_key=True),  # of an artifact or an identity
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("joins", Boolean, nullable=False),  # the decision says that it belongs together with others of it
    Column("active", Boolean, nullable=False),  # the decision holds
    Index("ix_decided_number", "number"),
)

rules = Table(
    "rules",
    metadata,
    Column("connection", Key, primary_key=True),
    Column("connector", Key, nullable=False),
    Column("configuration", Text, nullable=False),  # JSON: projects, hosts, openers, link kinds, stage rows
)

rule_changes = Table(
    "rule_changes",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("connection", Key, nullable=False),  # "": of all connections together
    Column("before", Text, nullable=False),  # JSON of what was chosen
    Column("after", Text, nullable=False),
    Column("by", Key, nullable=False),
    Column("at", Instant, nullable=False),
    Column("key", Key),  # by which a repeated call finds what it did
    Column("asked", Key),  # digest of what was asked
    Index("ix_rule_changes_connection", "connection", "number"),
    Index("ix_rule_changes_key", "key", unique=True),
)

stamps = Table(
    "stamps",
    metadata,
    Column("name", Key, primary_key=True),  # of what the stored facts were made with
    Column("value", Key, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Key, primary_key=True),
    Column("holder", Key, nullable=False),
    Column("epoch", Number, nullable=False),
    Column("until", Instant, nullable=False),
)
