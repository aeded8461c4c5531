"""The compose file without containers: each of its services as a process, by the file's own commands, settings and
checks, in the file's order. Only addresses differ: here all share one machine.
"""

import re
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.browser.running import Command, running
from tests.conftest import Pair
from tests.parts.presence import free_port, within_seconds
from tests.test_containers import compose, first_start

__all__ = ["compose"]

ROLES = ("feed", "ingest", "publish", "query", "webhooks")
GRACE = 30
"""Seconds that the file gives a service to end (stop_grace_period)."""


class Containers:
    """Services of the file, each with ports of its own where a container has an address of its own."""

    def __init__(self, compose: dict[str, Any], folder: Path, pair: Pair) -> None:
        self._services, self._folder, self._pair = compose["services"], folder, pair
        self._secrets, _ = first_start(compose, folder)
        address = pair.database_url.replace("+asyncpg", "")
        (self._secrets / "database.url").write_text(f"{address}\n")

    def service(self, name: str, **more: str) -> tuple[Command, dict[str, str]]:
        """One of them, not started, and the ports it has here by those it has there."""
        ports = {there: str(free_port()) for there in ("8700", "8701", "8702")}
        given = self._services[name]["environment"].items()
        told = {key.removeprefix("THROUGHLINE_"): self._here(str(value)) for key, value in given}
        told |= {"API_PORT": ports["8700"], "WEBHOOK_PORT": ports["8701"], "HEALTH_PORT": ports["8702"]}
        told["TOPIC_PREFIX"] = self._pair.bus.settings.prefix
        folder = self._folder / f"{name}-{ports['8702']}"
        folder.mkdir()
        words = self._services[name]["command"]
        return Command(folder, r"Ctrl-C ends (it|them)", *words, **(told | {"DATA_DIR": str(folder)} | more)), ports

    def _here(self, value: str) -> str:
        value = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        return value.replace("kafka:9092", str(self._pair.bus)).replace("/run/throughline", str(self._secrets))

    def well(self, name: str, ports: dict[str, str]) -> bool:
        """Whether the service's own check says so."""
        how, *check = self._services[name]["healthcheck"]["test"]
        assert how == "CMD"
        for there, here in ports.items():
            check = [word.replace(there, here) for word in check]
        check[0] = check[0].replace("python", sys.executable)
        return subprocess.run(check, capture_output=True, check=False, timeout=10).returncode == 0


@pytest.mark.parametrize(
    "pair", [pytest.param("kafka+postgresql", marks=[pytest.mark.kafka, pytest.mark.postgres])], indirect=True
)
def test_the_services_read_a_tool_and_answer(compose: dict[str, Any], tmp_path: Path, pair: Pair) -> None:
    containers = Containers(compose, tmp_path, pair)
    containers.service("migrate")[0].once()
    services = {name: containers.service(name, ALLOW_LOOPBACK_TOOLS="true") for name in ROLES}
    scaled, ports = containers.service("ingest")
    with ExitStack() as stack:
        for command in (*(command for command, _ in services.values()), scaled):
            stack.enter_context(running(command))
        for name, (command, there) in services.items():
            assert within_seconds(partial(containers.well, name, there), GRACE), command.output()
        assert within_seconds(partial(containers.well, "ingest", ports), GRACE), scaled.output()

        query, there = services["query"]
        assert "/set-up?key=" in query.output(), "the first start tells how the first account is made"
        token = query.once("tokens", "add", "Newcomer", "--role", "viewer").strip()
        tools, _ = containers.service("sandbox")
        said = stack.enter_context(running(tools)).string
        _connect(services["feed"][0], said, tmp_path / "jira.yaml")
        with httpx2.Client(base_url=f"http://127.0.0.1:{there['8700']}", timeout=10) as http:
            assert http.get("/v1/requests").status_code == 401
            http.headers["Authorization"] = f"Bearer {token}"
            assert within_seconds(lambda: bool(http.get("/v1/requests").json()["items"]), 60)
            assert within_seconds(lambda: bool(http.get("/v1/changes?since=0").json()["items"]), 60)
    ended = {name: command.code for name, (command, _) in services.items()} | {"scaled": scaled.code}
    assert ended == dict.fromkeys(ended, 0)


def _connect(feed: Command, said: str, file: Path) -> None:
    """Add the sandbox's Jira, as the documents say: `docker compose exec feed throughline connections add`."""
    found = re.search(r"^Jira +(\S+) +(\S+) +(\S+)$", said, re.MULTILINE)
    assert found
    url, email, token = found.groups()
    auth = {"kind": "api_token", "email": email, "token": "env:JIRA_TOKEN"}
    told = {"connector": "jira", "name": "jira", "since": "beginning", "options": {"base_url": url, "auth": auth}}
    file.write_text(yaml.safe_dump(told))
    feed.once("connections", "add", "--file", str(file), "--yes", JIRA_TOKEN=token)
