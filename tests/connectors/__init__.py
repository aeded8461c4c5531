"""Connectors against strict fake tools on loopback."""
