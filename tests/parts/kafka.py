"""A real Apache Kafka (KRaft, one node, no automatic topics) on loopback, to be stopped, killed and started again."""

import shutil
import signal
import subprocess
from pathlib import Path

from tests.parts.fetch import KAFKA
from tests.parts.leash import Leashed
from tests.parts.presence import PartMissing, free_port, listening, wait_until

CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
ADMIN, ADMIN_PASSWORD = "admin", "admin-secret"
USER, PASSWORD = "hub", "hub-secret"

COMMON = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
# A start on the same folder waits until the broker's old registration has expired.
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
"""
PLAIN = """\
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
"""
SECURE = """\
listeners=SASL_SSL://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_SSL://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{inner}
inter.broker.listener.name=SASL_PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required username="{admin}" password="{admin_password}";
ssl.keystore.type=PEM
ssl.keystore.location={keys}/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={keys}/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
allow.everyone.if.no.acl.found=false
"""
LOGGING = """\
rootLogger.level=WARN
appender.c.type=Console
appender.c.name=C
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d %p %c{1} %m%n
rootLogger.appenderRef.c.ref=C
"""


def self_signed(folder: Path) -> None:
    """A CA, and a server key signed by it for localhost and 127.0.0.1, as PEM files."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    folder.mkdir(parents=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-keyout", "ca.key", "-out", "ca.pem",
            "-subj", "/CN=test-ca")  # fmt: skip
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "srv.key", "-out", "srv.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    openssl("x509", "-req", "-in", "srv.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650",
            "-extfile", "names", "-out", "srv.pem")  # fmt: skip
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "srv.key", "-out", "srv8.key")
    parts = [(folder / name).read_text() for name in ("srv8.key", "srv.pem", "ca.pem")]
    (folder / "keystore.pem").write_text("".join(parts))


class Kafka:
    """One broker with a folder and ports of its own, which it keeps over stop, kill and start (start again: 4-13 s).

    secure: SASL_SSL with SCRAM-SHA-512 on `port` (users `hub`, who has no rights, and `admin`, who has all); the CA is
    `ca_file`.
    """

    def __init__(self, folder: Path, *, secure: bool = False) -> None:
        if shutil.which("java") is None:
            raise PartMissing("Java 17 for Kafka (package default-jre-headless)")
        if not KAFKA.folder.is_dir():
            raise PartMissing("Kafka's jars (run `make parts`, which needs the package maven)")
        self.secure = secure
        self.port, self.inner, self.controller = free_port(), free_port(), free_port()
        self.ca_file = folder / "keys" / "ca.pem"
        self._folder = folder
        self._process: Leashed | None = None
        self._prepare()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def start(self, seconds: float = 90) -> None:
        """Start, or start again on what is there; returns when it listens."""
        if self.running:
            return
        process = self._process = Leashed(
            self._java("kafka.Kafka", "server.properties"), self._folder / "kafka.log", self._folder
        )
        wait_until(lambda: listening(self.port), seconds, lambda: process.running, process.tail)

    def stop(self) -> None:
        """SIGTERM: a clean stop (1.5-3 s)."""
        if self._process is not None:
            self._process.terminate(signal.SIGTERM, 20)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.secure:
            self_signed(self._folder / "keys")
        text = (COMMON + (SECURE if self.secure else PLAIN)).format(
            port=self.port, inner=self.inner, controller=self.controller, data=self._folder / "data",
            keys=self._folder / "keys", admin=ADMIN, admin_password=ADMIN_PASSWORD,
        )  # fmt: skip
        (self._folder / "server.properties").write_text(text)
        (self._folder / "log4j2.properties").write_text(LOGGING)
        users = ((ADMIN, ADMIN_PASSWORD), (USER, PASSWORD)) if self.secure else ()
        scram = [w for name, word in users for w in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={word}]")]
        subprocess.run(
            self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", "server.properties", *scram),
            cwd=self._folder, check=True, capture_output=True, timeout=60,
        )  # fmt: skip

    @staticmethod
    def _java(*words: str) -> list[str]:
        return ["java", "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Dlog4j2.configurationFile=log4j2.properties", "-cp", f"{KAFKA.folder}/*", *words]  # fmt: skip
