"""The facts' tables, reads and writes. Nothing in here commits: the shells do."""
