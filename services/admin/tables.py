"""Tables of who may come in, and of what was done. Of every credential only a hash is kept."""

from sqlalchemy import DDL, Boolean, Column, Index, Integer, Table, Text, event

from pipelines.store.metadata import Instant, Key, Number, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Key, primary_key=True),  # permanent
    Column("name", Key, nullable=False),  # as people know them, and as they sign in
    Column("name_key", Key, nullable=False),  # the name in one spelling, so that nobody looks like somebody else
    Column("email", Key),  # verified, in lower case
    Column("role", Key, nullable=False),
    Column("password", Text),  # argon2; NULL: signs in elsewhere
    Column("issuer", Key),  # of the identity provider, with its permanent subject
    Column("subject", Key),
    Column("groups", Text, nullable=False),  # JSON: as the identity provider named them at the last sign-in
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("signed_in_at", Instant),
    Column("version", Number, nullable=False),  # counts changes
    Index("ix_accounts_name", "name_key", unique=True),
    Index("ix_accounts_email", "email", unique=True),
    Index("ix_accounts_subject", "issuer", "subject", unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Key, primary_key=True),  # for lists; opens nothing
    Column("hashed", Key, nullable=False),  # SHA-256 of what the cookie holds
    Column("account", Key, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("address", Key),  # where the sign-in came from
    Column("agent", Key),  # the browser, as it names itself
    Index("ix_sessions_hashed", "hashed", unique=True),
    Index("ix_sessions_account", "account"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Key, primary_key=True),
    Column("hashed", Key, nullable=False),  # SHA-256 of its secret part
    Column("title", Key, nullable=False),  # what it is for
    Column("account", Key),  # whose; NULL: of a program, in its own name
    Column("role", Key, nullable=False),  # at most this, and never more than its account has
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("used_at", Instant),  # written once a minute at most
    Index("ix_api_tokens_account", "account"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("account", Key),  # NULL: of nobody who has one
    Column("who", Key, nullable=False),
    Column("how", Key, nullable=False),  # how they were known; "nobody": they were not
    Column("action", Key, nullable=False),
    Column("object", Key, nullable=False),
    Column("before", Text),  # JSON; NULL: there was nothing
    Column("after", Text),  # JSON; NULL: there is nothing any more, or nothing was changed
    Column("address", Key),  # where from; NULL: this machine
    Index("ix_audit_at", "at"),
    Index("ix_audit_action", "action", "number"),
    Index("ix_audit_object", "object", "number"),
    Index("ix_audit_who", "who", "number"),
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("subject", Key, primary_key=True),  # hash of an account's name, or of an address
    Column("failures", Integer, nullable=False),  # in a row
    Column("failed_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),  # before that nobody is let in
)

set_up_links = Table(
    "set_up_links",
    metadata,
    Column("hashed", Key, primary_key=True),
    Column("expires_at", Instant, nullable=False),
)

answered = Table(
    "answered",
    metadata,
    Column("key", Key, primary_key=True),  # Idempotency-Key of a call that added something
    Column("asked", Text, nullable=False),  # digest of what was asked, sealed
    Column("answer", Text, nullable=False),  # JSON, as it was told then
    Column("at", Instant, nullable=False),
)

APPEND_ONLY = {
    "sqlite": tuple(
        f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit can only grow'); END"
        for verb in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit can only grow'; END $$",
        "CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()",
    ),
}
"""By database: what keeps entries from being changed or removed, also by a mistake of ours."""

for _name, _statements in APPEND_ONLY.items():
    for _statement in _statements:
        event.listen(audit, "after_create", DDL(_statement).execute_if(dialect=_name))  # type: ignore[no-untyped-call]
