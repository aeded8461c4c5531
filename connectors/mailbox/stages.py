"""Where mail stands in a request's life, with a reason for every row. A mail has no status: its type decides."""

from collections.abc import Mapping

from schemas.artifacts import State
from schemas.stages import StageRule

_TALK = "People agree by mail on what is wanted; where a tool says more, that tool's stage is further on"
_NOBODY = "Sent by a machine or to many: it moves nothing, and is shown where the talk is"

STAGES: tuple[StageRule, ...] = (
    StageRule("mailbox", "mail", "person", "*", "alignment", State.ACTIVE, _TALK),
    *(
        StageRule("mailbox", "mail", kind, "*", "alignment", State.DONE, _NOBODY)
        for kind in ("auto-reply", "out-of-office", "bounce", "automatic", "list", "digest")
    ),
)
"""Default stage map."""

LINK_KINDS: Mapping[str, str] = {"reply": "joins", "forward": "joins", "bounce": "joins", "mentions": "mentions"}
"""An answer, a forwarded mail and a bounce belong to the mail they name."""
