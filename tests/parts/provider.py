"""A real identity provider (OpenID Connect) on loopback, to be stopped and started again."""

import json
import shutil
from pathlib import Path

from tests.parts.fetch import PROVIDER
from tests.parts.leash import Leashed
from tests.parts.presence import PartMissing, free_port, listening, wait_until

_MAIN = "no.nav.security.mock.oauth2.StandaloneMockOAuth2ServerKt"


class IdentityProvider:
    """One provider with a port of its own, which it keeps over kill and start (start: 3 s on a free machine).

    Each path is an issuer with a key of its own; keys are handed out in one order, to whichever issuer is asked for
    first. A sign-in is a POST of `username` and `claims` (JSON, which the ID token then holds, whatever it would hold
    else) to the authorization address.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("java") is None:
            raise PartMissing("Java 17 for the identity provider (package default-jre-headless)")
        if not PROVIDER.folder.is_dir():
            raise PartMissing("the identity provider's jars (run `make parts`, which needs the package maven)")
        self.port = free_port()
        self._folder = folder
        self._process: Leashed | None = None

    @property
    def address(self) -> str:
        """Where it listens; issuers are paths below."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds: float = 90) -> None:
        """Start; returns when it listens."""
        told = {"SERVER_HOSTNAME": "127.0.0.1", "SERVER_PORT": str(self.port),
                "JSON_CONFIG": json.dumps({"interactiveLogin": True})}  # fmt: skip
        process = self._process = Leashed(
            ["env", *(f"{name}={value}" for name, value in told.items()), "java", "-Xmx128m", "-XX:+UseSerialGC",
             "-XX:TieredStopAtLevel=1", "-cp", f"{PROVIDER.folder}/*", _MAIN],
            self._folder / "provider.log", self._folder,
        )  # fmt: skip
        wait_until(lambda: listening(self.port), seconds, lambda: process.running, process.tail)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
