"""A newcomer: clone into an empty folder, `make demo`, the commands that it prints, Ctrl-C, kill -9 and again; then
tools of their own."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parts.presence import alive, free_port, missing, within_seconds

TOP = Path(__file__).parents[2]
READY = re.compile(r"(\d+) requests(?: after [\d.]+ s, the first of them after [\d.]+ s|, read at an earlier start)\.")
PATIENCE = 150


def blocks(language: str, heading: str) -> list[str]:
    """The code blocks of one section of the README, in their order."""
    section = (TOP / "README.md").read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@dataclass
class Checkout:
    """A clone of this checkout in an empty folder, and a new home for what is started in it."""

    folder: Path

    def __post_init__(self) -> None:
        self.clone, self.home = self.folder / "throughline", self.folder / "home"
        self.home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(TOP), str(self.clone)], check=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("THROUGHLINE_", "VIRTUAL_"))}
        # Ports of our own: somebody may be trying the demo on this machine.
        self.port = free_port()
        ports = {"THROUGHLINE_API_PORT": str(self.port), "THROUGHLINE_WEBHOOK_PORT": str(free_port())}
        self.environ = kept | ports | {"PYTHON": sys.executable}

    def at_home(self) -> dict[str, str]:
        """For commands of the hub: whoever types them has never had one."""
        apart = {name: value for name, value in self.environ.items() if not name.startswith("XDG_")}
        return apart | {"HOME": str(self.home)}

    def run(self, command: str, **more: str) -> str:
        """What a command prints that ends well."""
        done = subprocess.run(
            command, shell=True, cwd=self.clone, env=self.at_home() | more, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def typed(self, command: str, answers: Mapping[str, str], **more: str) -> str:
        """What a command shows on a terminal that ends well. answers: by how a question begins; Enter to all others."""
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb", buffering=0) as screen:
            # Who leads a session takes the terminal that it opens first for its own; secrets are asked on that one.
            process = subprocess.Popen(
                f"exec <{os.ttyname(theirs)}; {command}", shell=True, cwd=self.clone, env=self.at_home() | more,
                stdout=theirs, stderr=theirs, start_new_session=True,
            )  # fmt: skip
            os.close(theirs)
            try:
                shown = _answered(screen.fileno(), dict(answers))
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGHUP)  # the terminal is closed
                code = process.wait(60)
        assert code == 0, f"{command}\n{shown}"
        return shown

    @contextmanager
    def going(self, command: str, **more: str) -> Iterator[Path]:
        """A command that runs on, with the file it prints to; ended as by Ctrl-C."""
        log = Path(tempfile.mkstemp(".log", dir=self.folder)[1])
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, shell=True, cwd=self.clone, env=self.at_home() | more, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip
        try:
            yield log
            assert process.poll() is None, log.read_text()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            process.wait(60)


def _answered(screen: int, answers: dict[str, str]) -> str:
    """All that a terminal shows until nobody writes to it any more; each answer is given once."""
    shown = ""
    while select.select([screen], [], [], PATIENCE)[0]:
        try:
            told = os.read(screen, 4096)
        except OSError:  # how Linux tells that the other side is closed
            told = b""
        if not told:
            return shown
        shown += told.decode("utf-8", "replace")
        assert "An answer is needed" not in shown, shown
        if asked := re.search(r"\n([^\n]+): $", shown):
            question = next((one for one in answers if asked[1].startswith(one)), "")
            os.write(screen, f"{answers.pop(question, '')}\n".encode())
    raise AssertionError(f"nothing more came:\n{shown}")


def until(log: Path, shows: str) -> re.Match[str]:
    """Wait until a file shows it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := re.search(shows, log.read_text("utf-8", "replace")):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{shows} did not come:\n{log.read_text()[-3000:]}")


def session(pid: int) -> int | None:
    """That a process belongs to; None where it has ended."""
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return None


class Demo:
    """`make demo` in a clone."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout, self.clone, self.environ = checkout, checkout.clone, checkout.environ
        self.log = checkout.folder / "demo.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                ["make", "demo"], cwd=self.clone, env=self.environ, stdout=file, stderr=file, start_new_session=True
            )

    def ready(self) -> re.Match[str]:
        """Wait for the line that says how many requests there are."""
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := READY.search(self.log.read_text("utf-8", "replace")):
                return found
            time.sleep(0.1)
        raise AssertionError(f"the demo did not say that it is ready:\n{self.log.read_text()[-3000:]}")

    def children(self) -> list[int]:
        """Every process of the demo's session."""
        assert self.process is not None
        running = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return [pid for pid in running if session(pid) == self.process.pid]

    def end(self, how: int) -> int:
        """Signal the whole session, as a terminal does at Ctrl-C."""
        assert self.process is not None
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    if not (TOP / ".git").exists():
        missing("a git checkout")
    return Checkout(tmp_path_factory.mktemp("newcomer"))


@pytest.fixture
def demo(checkout: Checkout) -> Iterator[Demo]:
    made = Demo(checkout)
    yield made
    if made.process is not None and made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)


@pytest.mark.timeout(400)
def test_a_newcomer_sees_requests_and_nothing_is_left_behind(demo: Demo) -> None:
    demo.start()
    first = demo.ready()
    assert " after " in first[0]
    count = int(first[1])
    assert count >= 30
    said = demo.log.read_text()
    commands = re.findall(r"^\s+(THROUGHLINE_DATA_DIR=\S+ \.venv/bin/throughline lookup .+)$", said, re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        shown = demo.checkout.run(command)
        assert "alignment" in shown
        assert "Up to when" in shown
    listed = demo.checkout.run("THROUGHLINE_DATA_DIR=.demo .venv/bin/throughline requests --json --limit 100")
    assert len(listed.splitlines()) >= 30
    tries_what_the_readme_shows(demo)
    family = demo.children()
    assert len(family) >= 3
    os.killpg(demo.process.pid if demo.process else 0, signal.SIGKILL)
    demo.end(signal.SIGKILL)
    demo.start()
    again = demo.ready()
    assert abs(int(again[1]) - count) <= 5, "a start after a crash goes on where it was"
    assert "read at an earlier start" in again[0]
    family = demo.children()
    demo.end(signal.SIGINT)
    within_seconds(lambda: not any(alive(pid) for pid in family))
    assert [pid for pid in family if alive(pid)] == []


def tries_what_the_readme_shows(demo: Demo) -> None:
    """The commands for another terminal, as they stand."""
    _, shown = blocks("sh", "Try it: two commands")
    lookup, why, requests, changes = shown.splitlines()
    assert "Up to when" in demo.checkout.run(lookup)
    assert "PAY-10" in demo.checkout.run(why)
    demo.checkout.run(requests)
    with demo.checkout.going(changes) as log:
        until(log, r"R-[A-Z2-7]{12}")


@pytest.mark.timeout(400)
def test_tools_of_ones_own_are_connected_as_the_readme_says(checkout: Checkout) -> None:
    """By files, with the sandbox's tools in the place of one's own; the company runs alone, in a folder of its own."""
    if shutil.which("curl") is None:
        missing("curl (package curl), by which the README asks")
    subprocess.run(["make", "install"], cwd=checkout.clone, env=checkout.environ, check=True, capture_output=True)
    begin, program, by_form, by_file = blocks("sh", "Your own tools")
    company = "THROUGHLINE_DATA_DIR=.company .venv/bin/throughline sandbox --pace 0 --requests 10"
    with checkout.going(company) as log:
        port, mail, password = until(log, r"IMAP +127\.0\.0\.1:(\d+) \(plain\) +(\S+) +(\S+)").groups()
        jira, account, token = until(log, r"Jira +(\S+) +(\S+) +(\S+)").groups()
        asks_for_jira(checkout, by_form, {"Address": jira, "E-mail": account, "API token": token, "Projects": "PAY"})
        theirs, post = blocks("yaml", "Your own tools")
        theirs = theirs.replace("https://acme.atlassian.net", jira).replace("hub@acme.example", account)
        post = post.replace("imap.acme.example", f"127.0.0.1\n  port: {port}\n  security: plain")
        (checkout.clone / "jira.yaml").write_text(theirs)
        (checkout.clone / "mail.yaml").write_text(post.replace("requests@acme.example", mail))
        adding = by_file.replace("JIRA_TOKEN=…", f"JIRA_TOKEN={token}").replace("PASSWORD=…", f"PASSWORD={password}")
        here = {"THROUGHLINE_ALLOW_LOOPBACK_TOOLS": "true"}
        with checkout.going(begin.strip(), **here) as up:
            until(up, r"The hub runs")
            for command in adding.splitlines():
                checkout.run(f"{command} --yes", **here)
            listed = checkout.run(".venv/bin/throughline connections list")
            assert "jira" in listed
            assert "requests-mail" in listed
            known = some_request(checkout)
            asked = program.replace("8700", str(checkout.port)).replace("reference=PAY-12", f"reference={known}")
            assert known in checkout.run(asked)
    assert list(checkout.home.rglob("*.db")), "the hub's data lies in the new home"


def asks_for_jira(checkout: Checkout, shown: str, answers: dict[str, str]) -> None:
    """The commands that ask, in a home of their own; the mailbox's cannot be answered with the sandbox's port."""
    add, _, listing = shown.splitlines()
    home = checkout.folder / "asked"
    home.mkdir()
    here = {"HOME": str(home), "THROUGHLINE_ALLOW_LOOPBACK_TOOLS": "true"}
    said = checkout.typed(add, answers, **here)
    assert "Saved as jira" in said
    assert answers["API token"] not in said
    assert "jira" in checkout.run(listing, **here)


def some_request(checkout: Checkout) -> str:
    """One that was read."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for line in checkout.run(".venv/bin/throughline requests --json").splitlines():
            return str(json.loads(line)["id"])
        time.sleep(0.2)
    raise AssertionError(f"no request was read:\n{checkout.run('.venv/bin/throughline status')}")


def test_what_the_readme_removes_leaves_nothing(checkout: Checkout) -> None:
    """Its own commands, in the clone and the new home; what each is about is there before."""
    subprocess.run(["make", "install"], cwd=checkout.clone, env=checkout.environ, check=True, capture_output=True)
    checkout.run(".venv/bin/throughline migrate")
    checkout.run("THROUGHLINE_DATA_DIR=.demo .venv/bin/throughline migrate")
    (shown,) = blocks("sh", "Remove it without a trace")
    *removing, last = [line.partition("#")[0].strip() for line in shown.splitlines()]
    assert last == "make clean"
    cleaning = alone(checkout, "make -n clean").splitlines()
    removed = [target for line in removing + cleaning for target in targets(checkout, line)]
    there = {checkout.clone / ".demo", checkout.home / ".local/share/throughline", checkout.clone / ".venv"}
    assert there <= {path for path in removed if path.exists()}
    for line in [*removing, last]:
        alone(checkout, line)
    assert [path for path in removed if path.exists()] == []
    assert [path for path in checkout.home.rglob("*") if not path.is_dir()] == []
    left = alone(checkout, "git status --porcelain --ignored").splitlines()
    assert {line[3:] for line in left} <= {".company/", "jira.yaml", "mail.yaml"}, "what this journey made itself"


def alone(checkout: Checkout, command: str) -> str:
    """What a command prints that knows of nothing but the clone and the new home: no XDG_*, no MAKEFLAGS."""
    known = {"PATH": checkout.environ["PATH"], "HOME": str(checkout.home)}
    done = subprocess.run(command, shell=True, cwd=checkout.clone, env=known, check=True, capture_output=True)
    return done.stdout.decode()


def targets(checkout: Checkout, line: str) -> list[Path]:
    """What an `rm -rf` would remove. Anything else fails, and so does what lies outside the journey's own folder."""
    if line.startswith("find . -name .git -prune -o -type d "):
        return []  # it never leaves the clone
    assert line.startswith("rm -rf "), line
    assert not re.search(r"[`;&|<>*?\\\n]|\$\(", line), line  # nothing that runs more, or means more than it says
    words = alone(checkout, line.replace("rm -rf", "printf '%s\\n'", 1)).splitlines()
    found = [checkout.clone / word for word in words]
    own = [checkout.clone.resolve(), checkout.home.resolve()]
    for path in found:
        assert any(place in path.resolve().parents for place in own), f"{line} would remove {path}"
    return found


def test_what_would_remove_anything_else_is_not_run(checkout: Checkout) -> None:
    for line in ("rm -rf /", "rm -rf ..", "rm -rf .", "rm -rf ~", 'rm -rf "$NOBODY/etc"', "rm -rf a; ls", "ls"):
        with pytest.raises(AssertionError):
            targets(checkout, line)
