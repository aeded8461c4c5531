"""A real Dovecot (IMAP over plain, STARTTLS and TLS) on loopback. It must be started by root."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.parts.kafka import self_signed
from tests.parts.leash import Leashed
from tests.parts.presence import PartMissing, free_port, listening, wait_until

USER, PASSWORD = "requests@sandbox.example", "dovecot-secret"
_MAIL_USER = "nobody"

_CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
auth_mechanisms = plain login
ssl = yes
ssl_cert = <{folder}/keys/srv.pem
ssl_key = <{folder}/keys/srv.key
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Junk {{
    special_use = \\Junk
    auto = create
  }}
}}
"""


class Dovecot:
    """One server; every user name has the password PASSWORD and a mailbox of its own."""

    def __init__(self) -> None:
        if shutil.which("dovecot") is None:
            raise PartMissing("Dovecot (package dovecot-imapd)")
        if os.geteuid() != 0:
            raise PartMissing("root, who alone can start Dovecot (run the tests as root)")
        self.port, self.tls_port = free_port(), free_port()
        folder = self._folder = Path(tempfile.mkdtemp(prefix="throughline-dovecot-"))
        folder.chmod(0o755)  # the mail user must reach its mail
        self.ca_file = folder / "keys" / "ca.pem"
        self._process: Leashed | None = None
        self_signed(folder / "keys")
        user = pwd.getpwnam(_MAIL_USER)
        (folder / "mail").mkdir()
        os.chown(folder / "mail", user.pw_uid, user.pw_gid)
        values = {"port": self.port, "tls_port": self.tls_port, "uid": user.pw_uid, "gid": user.pw_gid}
        (folder / "dovecot.conf").write_text(_CONFIG.format(folder=folder, password=PASSWORD, **values))

    def start(self, seconds: float = 60) -> None:
        """Returns when it listens."""
        process = self._process = Leashed(
            ["dovecot", "-F", "-c", str(self._folder / "dovecot.conf")], self._folder / "out.log", self._folder
        )
        wait_until(lambda: listening(self.port), seconds, lambda: process.running, process.tail)

    def kick(self) -> None:
        """Cut every client off."""
        self._doveadm("kick", "*")

    def remove(self) -> None:
        """End it and delete its files."""
        if self._process is not None:
            self._process.terminate(signal.SIGTERM, 10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _doveadm(self, *words: str) -> None:
        subprocess.run(
            ["doveadm", "-c", str(self._folder / "dovecot.conf"), *words], check=False, capture_output=True, timeout=20
        )
