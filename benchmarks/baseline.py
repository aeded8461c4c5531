"""The bare data path: aiokafka, batches of 1,000, COPY into a staging table, one upsert by key, then the offsets.

    python -m benchmarks.baseline BOOTSTRAP TOPIC POSTGRES_URL EVENTS

Answers with how long it took from the first batch to the last commit, and with its own CPU time meanwhile.
"""

import asyncio
import random
import sys
import time

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.parts import say

BATCH = 1_000
SIZE = 1_000
UPDATES = 0.2
_TABLES = """
CREATE TABLE IF NOT EXISTS events (key text PRIMARY KEY, value text NOT NULL);
CREATE TEMPORARY TABLE staging (key text, value text, place bigint);
"""
_UPSERT = """
INSERT INTO events SELECT DISTINCT ON (key) key, value FROM staging ORDER BY key, place DESC
ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""


async def load(bootstrap: str, topic: str, events: int) -> None:
    """A topic with so many events of 1 kB, a fifth of them about a thing that was told of before."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 4, 1)])
    finally:
        await admin.close()
    chance = random.Random(7)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=131_072, linger_ms=5) as out:
        sent = []
        for number in range(events):
            thing = chance.randrange(number) if number and chance.random() < UPDATES else number
            value = f'{{"thing":{thing},"telling":{number},"text":"{chance.getrandbits(256):064x}'
            sent.append(await out.send(topic, (value + "x" * (SIZE - len(value) - 2) + '"}').encode(), b"%d" % thing))
        await asyncio.gather(*sent)


async def run(bootstrap: str, topic: str, url: str, events: int) -> tuple[float, float]:
    """Take all events in. Returns seconds and CPU seconds."""
    database = await asyncpg.connect(url)
    await database.execute(_TABLES)
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=topic, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    began = cpu = 0.0
    done = 0
    try:
        while done < events:
            fetched = await consumer.getmany(max_records=BATCH, timeout_ms=500)
            records = [record for batch in fetched.values() for record in batch]
            if not records:
                continue
            began, cpu = began or time.perf_counter(), cpu or time.process_time()
            rows = [(record.key.decode(), record.value.decode(), record.offset) for record in records]
            async with database.transaction():
                await database.copy_records_to_table("staging", records=rows)
                await database.execute(_UPSERT)
                await database.execute("TRUNCATE staging")
            await consumer.commit()
            done += len(records)
        return time.perf_counter() - began, time.process_time() - cpu
    finally:
        await consumer.stop()
        await database.close()


if __name__ == "__main__":
    _bootstrap, _topic, _url, _events = sys.argv[1:]
    _seconds, _cpu = asyncio.run(run(_bootstrap, _topic, _url, int(_events)))
    say([("seconds", _seconds), ("cpu", _cpu)])
