"""What an installation hands to the parts that set connections up, for the API and for commands alike."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from services.admin.equipment import Equipment, Running
from services.cli.installation import now as clock
from services.query.database import Database

if TYPE_CHECKING:
    from services.cli.installation import Installation

_SECONDS = 10.0


def equipment(
    made: "Installation", engine: AsyncEngine, lookups: AsyncEngine | None = None, now: Callable[[], datetime] = clock,
    roles: Sequence[str] = (), hooks_here: str = "",
) -> Equipment:  # fmt: skip
    """The parts of this installation. lookups: another engine for reading, where there is one. now: an aware clock.
    roles: what runs in this process. hooks_here: where it listens for webhooks."""
    settings = made.settings
    here = hooks_here or f"http://{settings.webhook_host}:{settings.webhook_port}"
    return Equipment(
        engine, Database(lookups or engine, _SECONDS), made.catalogue, made.keys, made.policy, now,
        str(settings.public_url or here).rstrip("/"), settings.public_url is not None,
        settings.data_dir / "sandbox", Running("Kafka" if settings.kafka_bootstrap else "embedded", roles),
    )  # fmt: skip
