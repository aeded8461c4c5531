"""Understand: pure steps (references, correlate, lifecycle) in two shells (ingest, recompute), and publish."""
