"""Errors named by what to do next.

HubError
├── RetryLater      wait, then do the same again
├── BadRecord       set this one record aside; go on with the next
└── Misconfigured   stop this connection until a person mends what the error names
"""


class HubError(Exception):
    """An error named by what to do next. Its text is for an admin and holds neither secrets nor content."""


class RetryLater(HubError):
    """The tool cannot answer now; the same request may succeed after `after` seconds (None: back off)."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class BadRecord(HubError):
    """One record cannot be used; it is set aside with this reason and the rest goes on."""


class Misconfigured(HubError):
    """Nothing will work until a person changes something: `problem` says what is wrong, `mend` what to do.

    field is the dotted name of the option concerned ("" for none).
    """

    def __init__(self, problem: str, mend: str, field: str = "") -> None:
        super().__init__(f"{problem}. {mend}")
        self.problem = problem
        self.mend = mend
        self.field = field
