"""Whether `lifecycles` holds what the database says was told; where not, every request is told once more.

The topic is ahead of a database that was restored from before: its readers keep the highest number that they have
handled, and would take numbers given anew for old news. It is behind where it was lost, or is another Kafka's.
"""

import logging

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.requests import GONE
from pipelines.store.tables import changes

logger = logging.getLogger("throughline.publish")


async def compared(connection: AsyncConnection, told: int, batch: int) -> int:
    """Have everything told once more, if need be. Returns the number after which numbers go on at least.

    told: the highest number on the topic; 0: it is empty. batch: how many more may have been given, and shown by the
    API, before they were sent.
    """
    given, sent = (await connection.execute(_NUMBERS)).one()
    if sent <= told <= given:  # what was numbered and not marked as sent may be there already
        return int(given)
    logger.warning("publish.all.again", extra={"topic_ends_at": told, "database_ends_at": given})
    await connection.execute(text(_EVERYTHING), {"gone": GONE})
    return told + batch if told > given else int(given)


_given = changes.c.number
_NUMBERS = select(func.coalesce(func.max(_given), 0), func.coalesce(func.max(_given).filter(changes.c.sent), 0))
_EVERYTHING = """INSERT INTO unpublished (request, etag) SELECT request, etag FROM (
    SELECT id AS request, etag FROM requests UNION ALL
    SELECT c.request, CASE WHEN c.merged_into IS NULL THEN :gone ELSE '-> ' || c.merged_into END FROM changes c
    WHERE NOT EXISTS (SELECT 1 FROM changes l WHERE l.request = c.request AND l.number > c.number)
    AND NOT EXISTS (SELECT 1 FROM requests r WHERE r.id = c.request)
) every WHERE true ORDER BY request ON CONFLICT DO NOTHING"""
"""Records, and what was said last of ids that are no requests any more; sorted, so that no two wait in a circle."""
