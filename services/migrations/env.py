"""Alembic's entry: runs on the connection it is handed."""

from alembic import context

import services.admin.tables
import services.feed.tables
import services.feed.watch_tables
from pipelines.store import audiences, suggestion_tables, tables
from pipelines.store.metadata import metadata

OWNERS = (tables, suggestion_tables, audiences, services.feed.tables, services.feed.watch_tables, services.admin.tables)
"""Importing them fills the one MetaData."""

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
