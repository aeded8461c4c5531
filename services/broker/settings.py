"""Where Kafka is, how to sign in, what its topics shall be like: values handed in by the command line."""

import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from schemas.errors import Misconfigured


class BrokerSettings(BaseModel):
    """Where Kafka is, how to sign in, and what the topics shall be like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap: str = Field(min_length=1, description="host:port of one or more brokers, separated by commas")
    embedded: bool = Field(default=False, description="the embedded broker: no sign-in, no topic settings")
    mechanism: Literal["none", "plain", "scram-sha-256", "scram-sha-512"] = "none"
    username: str = ""
    password: SecretStr = SecretStr("")
    tls: bool = False
    ca_file: Path | None = Field(default=None, description="PEM file of the CA to trust instead of the system's")
    prefix: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]*$", description="put before every topic and group name")
    partitions: int = Field(default=4, ge=1, description="of each source topic")
    replication: int | None = Field(default=None, ge=1, description="None: 3, or as many as there are brokers")
    retention_days: int = Field(default=30, ge=1, description="how long source topics keep events, at least")
    client_id: str = "throughline"

    @model_validator(mode="after")
    def _sign_in_is_whole(self) -> Self:
        if self.mechanism == "none":
            if self.username or self.password.get_secret_value():
                raise ValueError("user name and password need a mechanism: plain, scram-sha-256 or scram-sha-512")
        elif not (self.username and self.password.get_secret_value()):
            raise ValueError(f"mechanism {self.mechanism} needs a user name and a password")
        if self.mechanism == "plain" and not self.tls and not all(map(_is_loopback, self.bootstrap.split(","))):
            raise ValueError("mechanism plain sends the password in clear: turn tls on, or use scram-sha-512")
        if self.ca_file is not None and not self.tls:
            raise ValueError("a CA file is of use with tls only: turn tls on")
        return self

    def topic(self, name: str) -> str:
        """The full name of a topic."""
        return f"{self.prefix}{name}"

    def security(self) -> BaseSecurity:
        """What FastStream wants to know. Misconfigured when the CA file cannot be used."""
        context = self._tls_context() if self.tls else None
        if self.mechanism == "none":
            return BaseSecurity(ssl_context=context, use_ssl=self.tls)
        kinds = {"plain": SASLPlaintext, "scram-sha-256": SASLScram256, "scram-sha-512": SASLScram512}
        password = self.password.get_secret_value()
        return kinds[self.mechanism](self.username, password, ssl_context=context, use_ssl=self.tls)

    def _tls_context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(
                f"Kafka's CA file {self.ca_file} cannot be used ({type(error).__name__})",
                "Give a readable PEM file with the certificate of the CA that signed the brokers'",
                "ca_file",
            ) from None


def _is_loopback(address: str) -> bool:
    host = address.strip().rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
