"""Understand: from source events to lifecycle records."""
