"""Probes for whatever watches the process: alive, ready, and measured."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from services.query import reading
from services.query.answers import Alive, Part, Ready
from services.query.problems import documented
from services.query.refused import Refused
from services.query.serving import Check, Note, Serving, answer, serving

router = APIRouter(tags=["health"])


@router.get("/livez", response_model=Alive, summary="Is the process alive?")
async def livez() -> Response:
    """Looks at nothing else: a database that is away must not get this process restarted."""
    return answer({"status": "alive"})


@router.get("/readyz", response_model=Ready, summary="Can it answer?", responses={503: {"model": Ready}})
async def readyz(hub: Annotated[Serving, Depends(serving)]) -> Response:
    """Looks at the database, the version of its tables and the broker; says what is wrong and what to do."""
    checks: dict[str, Check] = {"database": lambda: _database(hub), "schema": lambda: _schema(hub), **hub.checks}
    parts = await asyncio.gather(*(_part(name, check, hub.check_seconds) for name, check in checks.items()))
    ready = all(part.ok for part in parts)
    told = Ready(status="ready" if ready else "not ready", parts=list(parts))
    return answer(told.model_dump(), 200 if ready else 503)


@router.get(
    "/metrics",
    response_class=Response,
    summary="Measures in Prometheus' text format",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **documented(404)},
)
async def metrics(hub: Annotated[Serving, Depends(serving)]) -> Response:
    """Lag, age of freshness, dead letters and more, as the other parts of this process count them."""
    if hub.metrics is None:
        raise Refused(404, "no-metrics", "This process measures nothing.", "Ask the process that does the work.")
    return Response(generate_latest(hub.metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _part(name: str, check: Check, seconds: float) -> Part:
    try:
        async with asyncio.timeout(seconds):
            says = await check()
    except TimeoutError:
        says = f"did not answer within {seconds:g} s"
    return Part(name=name, ok=says is None or isinstance(says, Note), says=says)


async def _database(hub: Serving) -> str | None:
    try:
        await hub.database.reachable()
    except Refused as error:
        return f"{error.detail} {error.mend}"
    return None


async def _schema(hub: Serving) -> str | None:
    if hub.schema_version is None:
        return None
    try:
        there = await reading.schema_version(hub.database)
    except Refused as error:
        return f"{error.detail} {error.mend}"
    if there != hub.schema_version:
        return f"the database is at version {there}, this release needs {hub.schema_version}: run `throughline migrate`"
    return None
