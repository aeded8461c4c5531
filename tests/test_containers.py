"""The compose file and the Dockerfile: valid, without secrets, and with the hub's true settings and commands.

No container engine is needed; what the one-shot service runs is run here, in folders of its own.
"""

import base64
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.settings import PREFIX, Settings, read_settings

TOP = Path(__file__).parents[1]
COMPOSE = TOP / "docker-compose.yml"
ONE_SHOT = {"secrets", "migrate"}
HUB = {"feed", "ingest", "publish", "query", "webhooks", "sandbox", *ONE_SHOT}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return found


def test_the_compose_schema_accepts_it() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_services_start_in_order_and_come_back(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == HUB | {"kafka", "postgres"}
    for name, service in services.items():
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name
        for other, how in service.get("depends_on", {}).items():
            wanted = {"secrets": "completed_successfully", "migrate": "completed_successfully", "feed": "started"}
            assert how["condition"] == f"service_{wanted.get(other, 'healthy')}", (name, other)
            assert "healthcheck" in services[other] or wanted.get(other), (name, other)
        assert ("networks" in service) != ("network_mode" in service), name


WRITTEN = {"secrets": {"hub-secrets", "database-secret"}, "sandbox": {"sandbox-data"}}
"""Volumes that a hub container may write to, beside its /tmp: the first secrets, and the sandbox's company."""


def test_hub_containers_can_write_nothing_but_tmp_and_their_named_volumes(compose: dict[str, Any]) -> None:
    for name in HUB:
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"]
        written = {volume.split(":")[0] for volume in service["volumes"] if not volume.endswith(":ro")}
        assert written == WRITTEN.get(name, set()), name
        assert written <= set(compose["volumes"]), name


def test_each_role_says_whether_it_is_well(compose: dict[str, Any]) -> None:
    for name in HUB - ONE_SHOT - {"sandbox"}:
        service = compose["services"][name]
        asked = " ".join(service["healthcheck"]["test"])
        environment = service["environment"]
        port = {"query": "8700", "webhooks": "8701"}.get(name, environment["THROUGHLINE_HEALTH_PORT"])
        assert re.search(rf"127\.0\.0\.1(:|', ){port}\b", asked), name


def test_data_outlives_its_container(compose: dict[str, Any]) -> None:
    used = {volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])}
    assert used == set(compose["volumes"])
    assert "/var/lib/kafka/data" in compose["services"]["kafka"]["volumes"][0]
    assert compose["services"]["kafka"]["environment"]["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"


def test_only_loopback_is_published_and_stores_are_inside(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"] == {"internal": True}
    for name, service in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    for name in ("kafka", "postgres"):
        assert compose["services"][name]["networks"] == ["inside"]


def test_no_secret_is_in_the_file(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for variable in service.get("environment", {}):
            if re.search("PASSWORD|SECRET|TOKEN|DATABASE_URL", variable):
                assert variable.endswith("_FILE"), variable


def test_every_setting_exists_and_the_defaults_are_accepted(compose: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "database.url").write_text("postgresql://throughline:word@postgres:5432/throughline\n")
    for name in HUB - {"secrets"}:
        given = {key: str(value) for key, value in compose["services"][name]["environment"].items()}
        plain = {key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for key, value in given.items()}
        for variable in plain:
            field = variable.removeprefix(PREFIX).lower()
            assert field in Settings.model_fields or field.removesuffix("_file") in Settings.model_fields, variable
        here = {
            key: value.replace("/run/throughline/database.url", f"{tmp_path}/database.url")
            for key, value in plain.items()
        }
        settings = read_settings(here)
        assert settings.kafka_bootstrap == "kafka:9092"
        assert settings.database_url.get_secret_value().startswith("postgresql+asyncpg://")


def first_start(compose: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """What the one-shot service writes, or finds written: the folders of the hub's secrets and of the database's."""
    hub, database = folder / "hub", folder / "database"
    service = compose["services"]["secrets"]
    (script,) = service["command"]
    script = script.replace("$$", "$").replace("/run/throughline-database", str(database))
    script = script.replace("/run/throughline", str(hub))
    for one in (hub, database):
        one.mkdir(exist_ok=True)
    # In the image Python is `python`; on Debian it has that name only in the environment.
    there = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([*service["entrypoint"], script], check=True, timeout=30, env=there)
    return hub, database


def test_the_first_start_writes_secrets_once(compose: dict[str, Any], tmp_path: Path) -> None:
    def run() -> dict[str, str]:
        folders = first_start(compose, tmp_path)
        return {path.name: path.read_text().strip() for folder in folders for path in folder.iterdir()}

    first = run()
    hub, database = tmp_path / "hub", tmp_path / "database"
    assert run() == first
    assert set(first) == {"password", "database.url", "secret.key"}
    assert first["database.url"] == f"postgresql://throughline:{first['password']}@postgres:5432/throughline"
    assert len(base64.b64decode(first["secret.key"], validate=True)) == 32
    assert {path.stat().st_mode & 0o777 for folder in (hub, database) for path in folder.iterdir()} == {0o600}
    (hub / "secret.key").unlink()
    again = run()
    assert again["secret.key"] != first["secret.key"]
    assert again["password"] == first["password"]


def test_the_image_is_made_of_the_locked_files_and_does_not_run_as_root(compose: dict[str, Any]) -> None:
    text = (TOP / "Dockerfile").read_text()
    last = text.split("\nFROM ")[-1]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["10001:10001"]
    assert "--require-hashes -r /src/requirements.txt" in text
    for source in re.findall(r"^COPY ([^-]\S*) /src", text, re.MULTILINE):
        assert (TOP / source).exists(), source
        assert f"!{source}" in (TOP / ".dockerignore").read_text().splitlines(), source
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    assert compose["services"]["feed"]["image"] == f"{project['name']}:{project['version']}"
