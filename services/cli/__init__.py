"""The command line, which is the one place where everything is wired together."""

import os
import signal

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Entry point. While the commands are loaded nothing has begun: Ctrl-C then ends the process without a word."""
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from services.cli.app import main as run

    signal.signal(signal.SIGINT, before)
    run()
