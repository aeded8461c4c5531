"""Tables of suggestions. What people answered is an input, never derived; all else follows from the facts.

A unit is a request, or an artifact that is in none (then it is named by the artifact's id).
"""

from sqlalchemy import Column, Float, Index, Integer, Table, Text

from pipelines.store.metadata import Instant, Key, Number, metadata

unit_marks = Table(
    "unit_marks",
    metadata,
    Column("number", Number, primary_key=True),
    Column(
        "unit", Key, nullable=False
    ),  # may have changed since it was last looked at; `*…`: many of them, see suggestions.PASS
)

units = Table(
    "units",
    metadata,
    Column("unit", Key, primary_key=True),
    Column("body", Text, nullable=False),  # JSON of what is compared of it
)

unit_blocks = Table(
    "unit_blocks",
    metadata,
    Column("block", Key, primary_key=True),  # units that share some are compared
    Column("unit", Key, primary_key=True),
    Index("ix_unit_blocks_unit", "unit"),
)

unit_people = Table(
    "unit_people",
    metadata,
    Column("identity", Key, primary_key=True),  # of whoever takes part in what is looked at of the unit
    Column("unit", Key, primary_key=True),
    Index("ix_unit_people_unit", "unit"),
)

block_sizes = Table(
    "block_sizes",
    metadata,
    Column("block", Key, primary_key=True),
    Column("units", Integer, nullable=False),
)

uncompared = Table("uncompared", metadata, Column("unit", Key, primary_key=True))

suggestions = Table(
    "suggestions",
    metadata,
    Column("left_unit", Key, primary_key=True),
    Column("right_unit", Key, primary_key=True),
    Column("id", Key, nullable=False),  # of the pair of artifacts
    Column("left", Key, nullable=False),  # one artifact of each, in order: the most likely pair of the two units
    Column("right", Key, nullable=False),
    Column("probability", Float, nullable=False),
    Column("worth", Float, nullable=False),  # by which they are ranked
    Column("features", Text, nullable=False),  # JSON: name to value
    Column("change", Text, nullable=False),  # JSON: what accepting it would change
    Column("evidence", Key, nullable=False),  # digest of the features
    Column("model", Integer, nullable=False),
    Column("computed_at", Key, nullable=False),
    Index("ix_suggestions_id", "id"),
    Index("ix_suggestions_left", "left"),
    Index("ix_suggestions_right", "right"),
    Index("ix_suggestions_right_unit", "right_unit"),
    Index("ix_suggestions_worth", "worth", "id"),
)

suggestion_answers = Table(
    "suggestion_answers",
    metadata,
    Column("left", Key, primary_key=True),  # artifacts, in order
    Column("right", Key, primary_key=True),
    Column("id", Key, nullable=False),  # of the suggestion
    Column("offered_at", Instant, nullable=False),
    Column("probability", Float, nullable=False),  # as it was told to whoever answered
    Column("answer", Key),  # accepted, rejected, later; NULL: it waits for one
    Column("by", Key),
    Column("at", Instant),
    Column("until", Instant),  # of later
    Column("evidence", Key, nullable=False),  # as it was when it was offered or answered
    Index("ix_suggestion_answers_id", "id"),
    Index("ix_suggestion_answers_right", "right"),
    Index("ix_suggestion_answers_offered", "offered_at"),
)
