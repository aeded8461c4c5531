"""Instants as callers give them: ISO 8601 with a time zone, nothing else."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _iso(value: object) -> object:
    # Pydantic would take a bare number for seconds since 1970.
    if not isinstance(value, datetime) and not (isinstance(value, str) and _ISO.match(value)):
        raise PydanticCustomError("datetime_form", "no instant")
    return value


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("datetime_range", "no instant") from None


At = Annotated[AwareDatetime, BeforeValidator(_iso), AfterValidator(_utc)]
"""An instant, in UTC."""
