"""The lookup API in a process of its own, to be ended by a signal: `python -m tests.services.query.serve URL`."""

import asyncio
import sys
from datetime import UTC, datetime

from pipelines.store.engine import open_engine
from services.query.app import create_app
from services.query.server import Server


async def main(url: str) -> None:
    closing = asyncio.Event()
    engine = open_engine(url)
    server = Server(create_app(engine, lambda: datetime.now(UTC), closing=closing), "127.0.0.1", 0, closing)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(server.port, flush=True)
    await serving
    await engine.dispose()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1]))
