"""Tables of what is noticed of connections beside their reading: see watching.py, which tells it."""

from sqlalchemy import Boolean, Column, Integer, Table, Text

from pipelines.store.metadata import Instant, Key, metadata

hours = Table(
    "hours",
    metadata,
    Column("connection", Key, primary_key=True),
    Column("hour", Instant, primary_key=True),  # its beginning
    Column("events", Integer, nullable=False),
)

watched = Table(
    "watched",
    metadata,
    Column("connection", Key, primary_key=True),
    Column("heard_at", Instant),  # when a page last brought events
    Column("newest", Text),  # JSON: ids of the newest artifacts it brought
    Column("place", Text),  # where reading stands, in its connector's words
    Column("received_at", Instant),  # when a webhook delivery last came
    Column("polled", Integer, nullable=False),  # events that polls found since, an hour and more after it
    Column("budget", Text),  # JSON: see budgets.Budget
    Column("silence", Text),  # JSON: see silence.Silence; NULL: nothing unusual
    Column("fields", Text),  # JSON: fields the tool had at the last look, id -> name; NULL: never looked
    Column("looked_at", Instant),  # when it was last looked whether the tool is as it was
)

checked = Table(
    "checked",
    metadata,
    Column("connection", Key, primary_key=True),
    Column("step", Key, primary_key=True),  # of the connector's check
    Column("well_at", Instant, nullable=False),  # when it last went well
)

notices = Table(
    "notices",
    metadata,
    Column("connection", Key, primary_key=True),
    Column("kind", Key, primary_key=True),  # deprecated, ends, gone, lost, field gone, field new
    Column("subject", Key, primary_key=True),  # the part of the tool, without ids
    Column("says", Text, nullable=False),
    Column("mend", Text, nullable=False),
    Column("due", Instant),  # when it ends, where the tool says so
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
)

failures = Table(
    "failures",
    metadata,
    Column("connection", Key, primary_key=True),
    Column("cause", Key, primary_key=True),  # digest of kind and problem without numbers and ids
    Column("kind", Key, nullable=False),  # wait, mend, unexpected
    Column("problem", Text, nullable=False),  # of the last one
    Column("mend", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("in_a_row", Integer, nullable=False),  # at the same place, without any success between
    Column("place", Key, nullable=False),  # digest of the cursor it happened at
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
)

reconciles = Table(
    "reconciles",
    metadata,
    Column("connection", Key, primary_key=True),
    Column("wanted", Boolean, nullable=False),
    Column("mend", Boolean, nullable=False),  # what is found is to be fetched again
    Column("started_at", Instant),  # of the one under way; NULL: none is
    Column("listed", Integer, nullable=False),  # things of the tool compared so far
    Column("expected", Integer),  # about how many there are: what we have
    Column("finished_at", Instant),
    Column("result", Text),  # JSON: see reconciling.Result
)

differences = Table(
    "differences",
    metadata,
    Column("connection", Key, primary_key=True),
    Column("kind", Key, primary_key=True),  # missing, different, extra
    Column("artifact", Key, primary_key=True),
    Column("theirs", Instant),  # last changed, by the tool
    Column("ours", Instant),  # last changed, as we know it
)

listed = Table(
    "listed",
    metadata,
    Column("connection", Key, primary_key=True),
    Column("artifact", Key, primary_key=True),  # seen in the tool by the comparison under way
)

registrations = Table(
    "registrations",
    metadata,
    Column("connection", Key, primary_key=True),  # whose webhook the hub entered in the tool
    Column("urls", Text, nullable=False),  # JSON: addresses under which it may stand there, without a path token
    Column("attempt", Key, nullable=False),  # of the last one who began; only that one may end it
    Column("asked_at", Instant, nullable=False),  # before anything was written there
    Column("done_at", Instant),  # NULL: it is not known whether what was asked for was done
    Column("proof", Key),  # digest of the secret that was entered
)

OWN = (hours, watched, checked, notices, failures, reconciles, differences, listed, registrations)
"""All that ends with its connection."""
