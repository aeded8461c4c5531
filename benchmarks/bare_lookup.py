"""The bare look-up: Starlette and asyncpg, one statement by key, on the same server with the same settings.

python -m benchmarks.bare_lookup POSTGRES_URL PORT
"""

import asyncio
import signal
import sys

import asyncpg
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.parts import say
from services.query.server import Server


async def main(url: str, port: int) -> None:
    """Serve until SIGTERM."""
    pool = await asyncpg.create_pool(url, min_size=8, max_size=8)

    async def lookup(request: Request) -> Response:
        row = await pool.fetchrow("SELECT record FROM requests WHERE id = $1", request.path_params["identifier"])
        return Response(row["record"] if row else "", 200 if row else 404, media_type="application/json")

    app = Starlette(routes=[Route("/v1/requests/{identifier}", lookup)])
    server = Server(app, "127.0.0.1", port, asyncio.Event())
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    say([("ready", True)])
    await serving
    await pool.close()
    say([("ended", True)])


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
