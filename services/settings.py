"""All settings, read from the environment here and nowhere else: `THROUGHLINE_<NAME>`.

Errors name the variable and the mend, and never repeat the value.
"""

import difflib
import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from schemas.errors import Misconfigured
from services.entrance_settings import EntranceSettings, Url, check_together, listed

PREFIX = "THROUGHLINE_"
_OPTIONS = ("host", "port", "sslmode", "target_session_attrs", "prepared_statement_cache_size")
"""What an address of PostgreSQL may say of how to connect: what SQLAlchemy and asyncpg take from it as text."""
_FROM_FILES = ("database_url", "kafka_password", "oidc_client_secret", "proxy_secret")
"""Secrets that may lie in a file named by `<NAME>_FILE`. The secret key has a file setting."""

_SERVER = r"(\[[0-9A-Fa-f:.]+\]|[^\s,:\[\]]+):\d+"
"""Host, or IPv6 address in brackets, and port."""

_GONE = {"api_token_file": "accounts are in its place; unset it, and make a token with `throughline tokens add`"}
"""Settings that were, and what to do now."""

_DRIVERS = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}


def _beside_the_data(name: str) -> Any:
    return lambda data: data.get("data_dir", _data_dir({})) / name


def _data_dir(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_DATA_HOME") or Path(environ.get("HOME") or home_here()) / ".local/share"
    return Path(home) / "throughline"


def home_here() -> Path:
    """The user's home; `~` where there is none, as for a number without a name in a container."""
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - Path's own raises where there is none


class Settings(EntranceSettings):
    """What an installation sets once; what belongs to a connection is part of that connection."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    data_dir: Path = Field(
        default_factory=lambda: _data_dir({}),
        title="Data directory",
        description="Where the key file and the SQLite database lie",
        examples=["/var/lib/throughline"],
    )
    database_url: SecretStr = Field(
        default_factory=lambda data: SecretStr(f"sqlite:///{_beside_the_data('throughline.db')(data)}"),
        title="Database",
        description="PostgreSQL or SQLite; by default an SQLite file in the data directory",
        examples=["postgresql://user:password@host/throughline"],
        validate_default=True,
    )
    kafka_bootstrap: str | None = Field(
        default=None,
        title="Kafka servers",
        description="Bootstrap servers, separated by commas; without it the embedded broker runs",
        examples=["kafka-1:9092,kafka-2:9092"],
        pattern=rf"^{_SERVER}(,{_SERVER})*$",
    )
    kafka_tls: bool = Field(
        default=False, title="Kafka TLS", description="Speak TLS to Kafka; a CA file switches it on too"
    )
    kafka_ca_file: Path | None = Field(
        default=None,
        title="Kafka CA file",
        description="PEM file of the authority that signed Kafka's certificates, if it is your own",
        examples=["/etc/throughline/kafka-ca.pem"],
    )
    kafka_mechanism: Literal["plain", "scram-sha-256", "scram-sha-512"] = Field(
        default="scram-sha-512", title="Kafka sign-in", description="SASL mechanism, used when a user name is set"
    )
    kafka_username: str | None = Field(
        default=None, title="Kafka user name", description="Sign in to Kafka as this user", examples=["throughline"]
    )
    kafka_password: SecretStr | None = Field(
        default=None, title="Kafka password", description="Password of the Kafka user"
    )
    topic_prefix: str = Field(
        default="",
        title="Topic prefix",
        description="Put before every topic and group name",
        pattern=r"^[A-Za-z0-9._-]{0,60}$",
        examples=["acme."],
    )
    partitions: int = Field(
        default=4, ge=1, le=256, title="Partitions", description="Partitions of a topic that the hub creates"
    )
    replication: int | None = Field(
        default=None,
        ge=1,
        le=7,
        title="Replication",
        description="Copies of each partition of a topic that the hub creates; 3, or as many as there are brokers, "
        "if not set",
    )
    retention_days: int = Field(
        default=30, ge=1, le=3650, title="Retention (days)", description="How long the source topics keep events"
    )
    secret_key: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(listed)] = Field(
        default=(),
        title="Secret keys",
        description="32 random bytes in base64, several separated by commas: the first seals, all open; "
        "without it the key file is used",
    )
    secret_key_file: Path = Field(
        default_factory=_beside_the_data("secret.key"),
        title="Secret key file",
        description="File of secret keys, one a line; made with a new key at the first start. Back it up apart "
        "from the data",
        examples=["/run/secrets/throughline_key"],
    )
    api_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        title="API address",
        description="Address the API and the pages listen at",
        examples=["0.0.0.0"],  # noqa: S104 - an example
    )
    api_port: int = Field(default=8700, ge=0, le=65535, title="API port", description="Port the API listens at")
    webhook_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        title="Webhook address",
        description="Address the webhook listener listens at",
    )
    webhook_port: int = Field(
        default=8701, ge=0, le=65535, title="Webhook port", description="Port the webhook listener listens at"
    )
    health_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        title="Health address",
        description="Address the health listener listens at",
        examples=["0.0.0.0"],  # noqa: S104 - an example
    )
    health_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        title="Health port",
        description="Port at which processes without the API serve `/livez`, `/readyz` and `/metrics`; "
        "without it they do not",
        examples=["8702"],
    )
    public_url: Url | None = Field(
        default=None,
        title="Public address",
        description="Address under which tools reach the webhook listener from outside",
        examples=["https://hooks.example.com"],
    )
    allow_loopback_tools: bool = Field(
        default=False,
        title="Tools on this machine",
        description="Let connections reach this machine itself, also by plain HTTP (a sandbox, a proxy)",
    )
    allowed_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(listed)] = Field(
        default=(),
        title="Allowed networks",
        description="Private address ranges where your own tools are, separated by commas; "
        "metadata and link-local addresses are never reached",
        examples=["10.20.0.0/16"],
    )
    otlp_endpoint: Url | None = Field(
        default=None,
        title="Trace collector",
        description="OTLP/HTTP address that traces are sent to; without it none are made",
        examples=["http://collector:4318"],
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", title="Log level", description="The least important lines still written"
    )
    log_format: Literal["json", "text"] = Field(
        default="json", title="Log format", description="One JSON object a line, or text for people"
    )
    poll_interval: float = Field(
        default=60.0,
        ge=1,
        le=86400,
        title="Poll interval (seconds)",
        description="Pause between two looks at a tool, unless its connection says otherwise",
    )
    batch_size: int = Field(
        default=500, ge=1, le=5000, title="Batch size", description="Source events taken into one transaction at most"
    )
    suggestions_a_day: int = Field(
        default=20, ge=0, le=10_000, title="Suggestions a day",
        description="New suggestions of what may belong together that are put before people in 24 hours",
    )  # fmt: skip

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `read_settings` hands in, so that there is one reader of one environment."""
        return (init_settings,)

    @field_validator("data_dir", mode="after")
    @classmethod
    def _whole(cls, path: Path) -> Path:
        if path.parts[:1] == ("~",):
            raise ValueError("nobody's home is known here; give the whole path")
        return path

    @field_validator("database_url", mode="after")
    @classmethod
    def _driver(cls, url: SecretStr) -> SecretStr:
        scheme, colon, rest = url.get_secret_value().partition("://")
        scheme = _DRIVERS.get(scheme, scheme)
        if not colon or scheme not in _DRIVERS.values():
            raise ValueError("the database is not PostgreSQL or SQLite")
        if scheme == "postgresql+asyncpg":
            rest = re.sub(r"([?&])sslmode=", r"\1ssl=", rest)  # asyncpg's name for libpq's option
            asked = parse_qsl(rest.rpartition("@")[2].partition("?")[2], keep_blank_values=True)
            if {name for name, _ in asked} - {"ssl", *_OPTIONS}:
                raise ValueError(f"the address has an option that is not known here; {', '.join(_OPTIONS)} are")
        return SecretStr(f"{scheme}://{rest}")

    @field_validator("kafka_mechanism", "log_level", "log_format", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.kafka_username and not self.kafka_password:
            raise ValueError("kafka_password|A Kafka user name is set without a password")
        if self.kafka_password and not self.kafka_username:
            raise ValueError("kafka_username|A Kafka password is set without a user name")
        if self.kafka_username and self.kafka_mechanism == "plain" and not self._kept_from_others():
            raise ValueError("kafka_mechanism|It sends the password in clear: turn TLS on, or use scram-sha-512")
        check_together(self, beyond=self._beyond())
        return self

    def _kept_from_others(self) -> bool:
        """Whether nobody on the way to Kafka can read what is sent."""
        hosts = [one.rpartition(":")[0].strip("[]") for one in (self.kafka_bootstrap or "").split(",")]
        return self.kafka_tls or self.kafka_ca_file is not None or all(map(is_loopback, hosts))

    def _beyond(self) -> str | None:
        """The setting by which something of the hub's own listens beyond this machine."""
        if not is_loopback(self.api_host):
            return "api_host"
        return "health_host" if self.health_port is not None and not is_loopback(self.health_host) else None

    def kafka(self) -> dict[str, Any]:
        """The part about Kafka, as the keyword arguments of `services.broker.BrokerSettings`; without `bootstrap` where
        the embedded broker is to run."""
        where = {"bootstrap": self.kafka_bootstrap} if self.kafka_bootstrap else {}
        sign_in = {
            "mechanism": self.kafka_mechanism,
            "username": self.kafka_username,
            "password": self.kafka_password,
        }
        return {
            **where,
            **(sign_in if self.kafka_username else {}),
            "tls": self.kafka_tls or self.kafka_ca_file is not None,
            "ca_file": self.kafka_ca_file,
            "prefix": self.topic_prefix,
            "partitions": self.partitions,
            "replication": self.replication,
            "retention_days": self.retention_days,
        }


def is_loopback(host: str) -> bool:
    """Whether an address to listen at is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this environment. Raises Misconfigured naming every variable that is wrong, and its mend."""
    values: dict[str, Any] = {"data_dir": _data_dir(environ)}
    problems: list[str] = []
    for name in environ:
        field = name.removeprefix(PREFIX).lower()
        if not name.startswith(PREFIX) or not environ[name].strip():
            continue
        if field in Settings.model_fields:
            values[field] = environ[name].strip()
        elif field.removesuffix("_file") not in _FROM_FILES:
            problems.extend(_unknown(name, field))
    for field in _FROM_FILES:
        _from_file(field, environ.get(f"{PREFIX}{field.upper()}_FILE", ""), values, problems)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems.extend(_told(error))
    if problems:
        raise Misconfigured("The settings cannot be used", "; ".join(problems))
    return settings


def read_secret(reference: str, environ: Mapping[str, str] = os.environ) -> SecretStr:
    """The secret that `env:NAME` or `file:PATH` names. Raises Misconfigured, which never repeats a value."""
    where, _, name = reference.partition(":")
    if where == "env" and name:
        if not environ.get(name):
            raise Misconfigured(f"The variable {name} is not set", f"Set {name} to the secret, or name another one")
        return SecretStr(environ[name])
    if where != "file" or not name:
        raise Misconfigured("A secret is neither env:NAME nor file:PATH", "Write where it is, never the secret itself")
    try:
        text = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        raise Misconfigured(f"The file {name} cannot be read", "Look at its path and rights") from None
    if not text:
        raise Misconfigured(f"The file {name} is empty", "Put the secret into it")
    return SecretStr(text)


def settings_table() -> str:
    """The settings as a Markdown table."""
    lines = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        variable = f"`{PREFIX}{name.upper()}`"
        if name in _FROM_FILES:
            variable += f"<br>or `{PREFIX}{name.upper()}_FILE`"
        example = f" (such as `{field.examples[0]}`)" if field.examples else ""
        lines.append(f"| {variable} | {_default(name, field)} | {field.description}{example} |")
    return "\n".join(lines) + "\n"


def _default(name: str, field: FieldInfo) -> str:
    computed = {
        "data_dir": "`~/.local/share/throughline`",
        "database_url": "`throughline.db` in the data directory",
        "secret_key_file": "`secret.key` in the data directory",
    }
    if name in computed:
        return computed[name]
    if field.default in (None, (), "", {}):
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _from_file(field: str, path: str, values: dict[str, Any], problems: list[str]) -> None:
    variable = f"{PREFIX}{field.upper()}"
    if not path:
        return
    if field in values:
        problems.append(f"{variable}: set it or {variable}_FILE, not both")
        return
    try:
        values[field] = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        problems.append(f"{variable}_FILE: the file cannot be read; look at its path and rights")


def _unknown(name: str, field: str) -> list[str]:
    """A variable that was one of ours, or that is nearly one and was meant to be it."""
    if field in _GONE:
        return [f"{name}: {_GONE[field]}"]
    known = [f"{PREFIX}{field.upper()}" for field in Settings.model_fields if f"{PREFIX}{field.upper()}" != name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.9)
    return [f"{name}: there is no such setting; {near[0]} is meant?"] if near else []


def _told(error: ValidationError) -> list[str]:
    """One sentence for each variable that is wrong."""
    told: dict[str, str] = {}
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        if item["type"] == "default_factory_not_called":
            continue  # a default that builds on another field, which has its own error
        field, _, said = item["msg"].removeprefix("Value error, ").rpartition("|")
        field = str(item["loc"][0]) if item["loc"] else field
        examples = Settings.model_fields[field].examples
        mend = f"; give it as in {examples[0]}" if examples else ""
        told.setdefault(field, f"{PREFIX}{field.upper()}: {said[:1].lower()}{said[1:]}{mend}")
    return list(told.values())
