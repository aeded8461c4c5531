"""Tables of the feed: connections, the pages they read, and the webhook inbox."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text

from pipelines.store.metadata import Instant, Key, Number, metadata

connections = Table(
    "connections",
    metadata,
    Column("id", Key, primary_key=True),  # permanent; survives export and import
    Column("connector", Key, nullable=False),
    Column("title", Key, nullable=False),
    Column("options", Text, nullable=False),  # JSON without secrets
    Column("secrets", Text, nullable=False),  # JSON: dotted field -> sealed value
    Column("since", Instant),  # read from when; NULL: from the beginning
    Column("state", Key, nullable=False),  # reading, paused, stopped
    Column("cursor", Text),  # JSON; NULL: nothing read yet
    Column("true_up_to", Instant),  # of the newest applied page
    Column("alive_at", Instant),  # when the tool last answered
    Column("first_read_done", Boolean, nullable=False),
    Column("progress_done", Integer, nullable=False),
    Column("progress_total", Integer),
    Column("problem", Text),  # what a person must mend, or what it is waiting for; NULL: nothing
    Column("attention", Boolean, nullable=False),  # True: it will not go on by itself
    Column("retry_at", Instant),
    Column("census_cursor", Text),
    Column("census_at", Instant),
    Column("wanted", Boolean, nullable=False),  # a hint says that something is new: read at once
    Column("epoch", Number, nullable=False),  # counts changes of configuration; a page of an older epoch is void
)

pages = Table(
    "pages",
    metadata,
    Column("number", Number, primary_key=True),
    Column("connection", Key, nullable=False),
    Column("cursor", Text),  # NULL: this page moves no cursor (a fetch after a hint)
    Column("true_up_to", Instant),
    Column("offsets", Text, nullable=False),  # JSON: [[topic, partition, next offset], ...]
    Column("incarnation", Key, nullable=False),
    Column("events", Integer, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("applied_at", Instant),
    Index("ix_pages_open", "applied_at", "connection", "number"),
    Index("ix_pages_connection", "connection", "number"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("number", Number, primary_key=True),
    Column("connection", Key, nullable=False),
    Column("delivery", Key, nullable=False),  # the sender's id, or a hash of the body
    Column("url", Key, nullable=False),
    Column("headers", Text, nullable=False),  # JSON, only those that the signature or the reading needs
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("handled_at", Instant),
    Index("ix_inbox_open", "handled_at", "number"),
    Index("ix_inbox_delivery", "connection", "delivery", unique=True),
)

removals = Table(
    "removals",
    metadata,
    Column("connection", Key, primary_key=True),  # removed with what it brought
    Column("asked_at", Instant, nullable=False),
    Column("step", Key, nullable=False),  # events, anew, finished
    Column("done", Integer, nullable=False),  # of this step, in source events
    Column("total", Integer, nullable=False),
    Column("problem", Key),  # what it waits for; NULL: nothing
    Column("finished_at", Instant),
)
