"""Serve: one folder per reader, each its own process or all in one."""
