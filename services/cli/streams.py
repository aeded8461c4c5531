"""Where output goes: what happens when it cannot be written, because its reader left or its disk is full."""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

from typing_extensions import override

from schemas.errors import Misconfigured

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputClosed(Exception):
    """The reader of the output has left (`| head -1`)."""


class OutputRefused(Misconfigured):
    """The output cannot be written."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The output cannot be written ({why})", "Make room where it goes, or send it elsewhere", "output"
        )


class _Output(io.FileIO):
    """Standard output. Its failures are errors of their own, which nothing on the way takes for another file's."""

    @override
    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            abandon()
            if error.errno == errno.EPIPE:
                raise OutputClosed from None
            raise OutputRefused(error.strerror or "unknown") from None


class _Remarks(io.FileIO):
    """Standard error. Where it cannot be written nobody can be told; the work goes on all the same."""

    @override
    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare() -> None:
    """Put both in place; a terminal that cannot show a letter shows a question mark."""
    sys.stdout = _text(sys.stdout, _Output)
    sys.stderr = _text(sys.stderr, _Remarks)


def _text(stream: object, kind: type[io.FileIO]) -> io.TextIOWrapper:
    if not isinstance(stream, io.TextIOWrapper):  # closed by who started us
        return io.TextIOWrapper(io.BufferedWriter(kind(os.devnull, "w")))
    stream.flush()
    raw = kind(stream.fileno(), "w", closefd=False)
    lines = stream.line_buffering
    return io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, "replace", line_buffering=lines)


def finish() -> None:
    """Write what is left. Raises OutputClosed, OutputRefused."""
    sys.stdout.flush()


def abandon() -> None:
    """Let what is still to be written go nowhere: it would fail again at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
