"""The command line, which is the one place where everything is wired together."""

from services.cli.app import main

__all__ = ["main"]
