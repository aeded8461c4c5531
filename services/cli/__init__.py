"""The command line, which is the one place where everything is wired together."""

import gc
import os
import signal

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Entry point. Until a command's work begins, Ctrl-C ends the process without a word (see terminal.interruptible).

    Not by an exception: what is loaded calls back from C, where one would be lost.
    """
    # A start makes some 300,000 objects that are there to stay: looking for circles in them takes a tenth of a second.
    gc.set_threshold(500_000, 20, 100)
    signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from services.cli.app import main as run

    run()
