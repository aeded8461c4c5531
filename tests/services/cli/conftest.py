"""The company in a database of its own, and commands run on it."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.engine import open_engine
from services.cli.installation import Installation
from tests.parts.copies import prepared
from tests.services.cli.company import settle

WIDTH = 100


@dataclass
class Desk:
    """A hub's installation with the company read, and what a command printed."""

    made: Installation
    engine: AsyncEngine
    environ: dict[str, str]
    paper: io.StringIO
    screen: Console

    @property
    def printed(self) -> str:
        """What was printed since the last look, without blanks at line ends."""
        text = self.paper.getvalue()
        self.paper.truncate(0)
        self.paper.seek(0)
        return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def environment(tmp_path: Path, url: str) -> dict[str, str]:
    return {"THROUGHLINE_DATA_DIR": str(tmp_path / "data"), "THROUGHLINE_DATABASE_URL": url, "HOME": str(tmp_path)}


BOTH = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
"""For tests of commands whose SQL could differ between the databases."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLAlchemy URL of a new, empty database: SQLite unless a test asks for BOTH."""
    kind = getattr(request, "param", "sqlite")
    url: str = request.getfixturevalue("postgres_url" if kind == "postgresql" else "sqlite_url")
    return url


@pytest.fixture
async def desk(tmp_path: Path, database_url: str) -> AsyncIterator[Desk]:
    """The company's hub."""
    await prepared(database_url, settle)
    environ = environment(tmp_path, database_url)
    made = Installation.of(environ)
    engine = open_engine(made.settings.database_url.get_secret_value())
    paper = io.StringIO()
    yield Desk(made, engine, environ, paper, Console(file=paper, width=WIDTH, highlight=False))
    await engine.dispose()
