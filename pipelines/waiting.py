"""What a worker waits for while its database is away: said once for each reason, and once when it goes on."""

import logging

from pipelines.store.engine import why_away
from schemas.errors import RetryLater


class Waiting:
    """Of one worker. what: its work, as an admin knows it ("publishing"); waits, goes_on: its log lines."""

    def __init__(self, what: str, waits: str, goes_on: str, logger: logging.Logger) -> None:
        self.what, self.logger = what, logger
        self._waits, self._goes_on = waits, goes_on
        self.says = ""
        """One line for an admin; empty while it works."""
        self._said: set[str] = set()

    def away(self, error: BaseException) -> None:
        """It failed by this. While a server dies and comes back its reasons take turns: each is said once."""
        waits_for = str(error) if isinstance(error, RetryLater) else f"the database: {why_away(error)}"
        self.says = f"{self.what} waits for {waits_for}"
        if self.says not in self._said:
            self.logger.warning(self._waits, extra={"problem": self.says})
            self._said.add(self.says)

    def over(self) -> None:
        """It works."""
        if self.says:
            self.logger.warning(self._goes_on, extra={"problem": None})
            self.says = ""
            self._said.clear()
