"""What the shells tell of their work while they do it. Names and numbers of ours only, never content."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any


class Watch:
    """Listens to nothing; who measures, counts and traces overrides it."""

    def step(self, name: str) -> AbstractContextManager[Any]:  # noqa: ARG002
        """Around one step of a batch: map, land, merge, load, correlate, fold, write, commit."""
        return nullcontext()

    def turn(self) -> AbstractContextManager[Any]:
        """Around a turn of understanding: it belongs to the newest batch that left something."""
        return nullcontext()

    def span(
        self,
        name: str,  # noqa: ARG002
        after: Any = None,  # noqa: ARG002
        **attributes: str | int,  # noqa: ARG002
    ) -> AbstractContextManager[Any]:
        """Around other work worth tracing; gives what a later span can be told to come `after`."""
        return nullcontext()

    def ingested(self, connector: str, outcome: str, events: int) -> None:
        """So many records were stored: new, known (said before) or dead (set aside)."""

    def page_failed(self, connection: str, kind: str) -> None:
        """A connection could not be read on; kind is the error's."""


UNWATCHED = Watch()
