"""What this hub is and runs on: for everybody who is signed in."""

from importlib.metadata import version

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import text
from starlette.responses import Response

from schemas.access import Role
from services.admin.equipment import Equipped
from services.query.access import needs
from services.query.problems import documented
from services.query.serving import answer

router = APIRouter(tags=["overview"], dependencies=[needs(Role.VIEWER)], responses=documented(401, 403, 503))

_VERSIONS = {"sqlite": "SELECT sqlite_version()", "postgresql": "SHOW server_version"}
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


class About(BaseModel):
    """This hub."""

    version: str = Field(examples=["0.1.0"])
    database: str = Field(examples=["PostgreSQL 15.8"])
    broker: str = Field(description="embedded, or Kafka", examples=["Kafka"])
    roles: list[str] = Field(description="What the process that answered runs", examples=[["feed", "ingest", "query"]])


@router.get("/about", response_model=About, summary="What this hub is and runs on")
async def about(parts: Equipped) -> Response:
    """Its release, its database, its broker, and the roles of the process that answers."""
    dialect = parts.engine.dialect.name
    async with parts.database.reading() as connection:
        number = str((await connection.execute(text(_VERSIONS[dialect]))).scalar_one())
    return answer(
        {
            "version": version("throughline"), "database": f"{_NAMES[dialect]} {number.split(maxsplit=1)[0]}",
            "broker": parts.running.broker, "roles": list(parts.running.roles),
        }
    )  # fmt: skip
