"""A question that cannot be answered, and why. Apart from problems, so that reading loads no web framework."""

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """A request that cannot be answered; becomes a problem document. Carries no input."""

    def __init__(
        self, status: int, kind: str, detail: str, mend: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.mend = mend
        self.headers = dict(headers or {})
        self.more = more
