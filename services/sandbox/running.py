"""Runs the sandbox: a Jira, a HubSpot and a mailbox on loopback, with the company's past in them and its day going on.

As a child process (`python -m services.sandbox.running`) it takes one line of JSON on stdin, the arguments of `Wish`,
answers with one on stdout, the fields of `Ready`, and ends with its parent, however that ends: stdin closes, and on
Linux the kernel sees to it.
"""

import asyncio
import contextlib
import ctypes
import itertools
import json
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from schemas.errors import Misconfigured
from services.sandbox.company import MONTH, Company
from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_account import Account
from services.sandbox.jira import FakeJira
from services.sandbox.mailbox import MailServer
from services.sandbox.playing import PROJECTS, Player
from services.sandbox.post import PASSWORD, USER
from services.sandbox.script import Happening, Truth
from services.sandbox.standing import TOOLS, Folder, Standing

PACE = 3600.0
"""Story seconds in a second: an hour of the company's passes in each."""
LONGEST_GAP = 6.0
"""Seconds without news, at most, unless time passes as it really does."""
_LAG = timedelta(seconds=1)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What kind of sandbox is wanted. requests, months and seed count only for one that is new in its folder."""

    folder: str
    pace: float = PACE
    """How much faster than real time the company's day goes on; 0: nothing more happens."""
    seed: int = 7
    requests: int = 40
    months: int = 6
    ports: dict[str, int] = field(default_factory=dict)
    """Fixed ports by tool; else those of the last start, else free ones."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A sandbox that runs: what a connection needs, and what there is to find."""

    jira: str
    """Address."""
    jira_email: str
    jira_token: str
    hubspot: str
    hubspot_token: str
    portal: int
    mail_host: str
    mail_port: int
    mail_user: str
    mail_password: str
    projects: list[str]
    folders: list[str]
    artifacts: dict[str, int]
    """How many things there are to read, by tool."""
    requests: int
    """How many requests there truly are, as far as evidence can tell."""
    examples: list[str]
    """References worth looking up."""


def clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Sandbox:
    """A running sandbox."""

    player: Player
    ready: Ready
    coming: Iterator[Happening]
    """What will happen, oldest first."""
    last: datetime
    """When, in the story, the last thing happened."""
    folder: Folder

    async def go_on(self, pace: float, tell: Callable[[Happening], None] = lambda _: None) -> None:
        """Let the day go on, until cancelled."""
        if pace <= 0:
            await asyncio.Event().wait()
        for happening in self.coming:
            seconds = max(0.0, (happening.at - self.last).total_seconds() / pace)
            await asyncio.sleep(seconds if pace <= 1 else min(seconds, LONGEST_GAP))
            self.last = happening.at
            while not self.folder.live(at := clock()):  # noqa: ASYNC110 - a disk does not tell when it has room again
                await asyncio.sleep(LONGEST_GAP)
            self.player.play(happening, at)
            await asyncio.to_thread(self.player.jira.registry.send)
            self.player.jira.requests.clear()
            tell(happening)


@contextlib.asynccontextmanager
async def sandbox(wish: Wish) -> AsyncIterator[Sandbox]:
    """Start the three tools with everything that has happened in them. Raises Misconfigured for a taken port."""
    with Folder.held(Path(wish.folder)) as folder:
        new = Standing(clock().isoformat(), wish.seed, wish.requests, wish.months)
        standing = folder.load(new)
        ports = {tool: _port(tool, wish.ports, standing.ports) for tool in TOOLS}
        account = Account(clock, lag=_LAG * 3)
        mail = MailServer(now=clock, port=ports["mail"])
        jira = FakeJira(now=clock, lag=_LAG, port=ports["jira"], burst=2000, administrator=True)
        company = Company(standing.seed, standing.began_at, standing.requests, standing.months)
        player = Player(jira, account, mail.mailbox, standing.began_at - standing.months * MONTH - timedelta(days=1))
        happenings, truth = company.happenings(), Truth()
        last, ahead = _relive(company, happenings, folder.lived(), player, truth)
        with jira:
            async with HubSpotServer(account, port=ports["hubspot"]) as hubspot, mail:
                folder.keep(standing, {"jira": _port_of(jira.url), "hubspot": hubspot.port, "mail": mail.port})
                answer = _answer(player, truth)
                folder.answer(answer)
                ready = _ready(player, hubspot, mail, answer)
                yield Sandbox(player, ready, itertools.chain([ahead], happenings), last, folder)


def _relive(
    company: Company, happenings: Iterator[Happening], lived: list[datetime], player: Player, truth: Truth
) -> tuple[datetime, Happening]:
    """Play the past, and what was lived since at the times it had: (story time of the last, the one to come)."""
    last, times = company.now, iter(lived)
    for happening in happenings:
        at: datetime | None = happening.at
        if happening.at > company.now:
            at = next(times, None)
            if at is None:
                return last, happening
            last = happening.at
        player.play(happening, at)
        truth.note(happening)
    raise AssertionError("the company's story has no end")


def _port(tool: str, fixed: dict[str, int], before: dict[str, int]) -> int:
    """The port to listen at; 0 for any."""
    if tool in fixed:
        if not _free(fixed[tool]):
            raise Misconfigured(f"Port {fixed[tool]} for the sandbox's {tool} is taken", "Choose another port")
        return fixed[tool]
    known = before.get(tool, 0)
    return known if known and _free(known) else 0


def _free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def _answer(player: Player, truth: Truth) -> dict[str, list[str]]:
    """The true answer: by request its things as `<connector>/<kind>/<natural key>`; under "" what is in none."""
    groups: dict[str, list[str]] = {
        name: sorted({key for _, key in player.natural(things)}) for name, things in truth.joined().items()
    }
    outside = sorted(key for _, key in player.natural(truth.outside))
    return {name: keys for name, keys in groups.items() if keys} | {"": outside}


def _ready(player: Player, hubspot: HubSpotServer, mail: MailServer, answer: dict[str, list[str]]) -> Ready:
    jira = player.jira
    artifacts = Counter(key.partition("/")[0] for keys in answer.values() for key in keys)
    # A merged deal is still read, as another name of the one it went into.
    artifacts["hubspot"] = sum(kind not in ("contact", "company") for kind, _ in player.account.records)
    return Ready(
        jira=jira.url,
        jira_email=jira.email,
        jira_token=jira.token,
        hubspot=hubspot.url,
        hubspot_token=hubspot.token,
        portal=hubspot.account.portal,
        mail_host="127.0.0.1",
        mail_port=mail.port,
        mail_user=USER,
        mail_password=PASSWORD,
        projects=list(PROJECTS),
        folders=list(mail.mailbox.folders),
        artifacts=dict(artifacts),
        requests=len(answer) - 1,
        examples=_examples([keys for name, keys in answer.items() if name]),
    )


def _examples(requests: list[list[str]]) -> list[str]:
    """An issue, a deal and a mail of the requests that hold most."""
    found = []
    for kind in ("jira/issue/PAY-", "hubspot/deal/", "mailbox/mail/"):
        largest = max(requests, key=lambda keys: (any(key.startswith(kind) for key in keys), len(keys)))
        found += [key.split("/", 2)[2] for key in largest if key.startswith(kind)][:1]
    return found


async def _serve(wish: Wish) -> None:
    """Run as a child: answer, go on until stdin ends."""
    async with sandbox(wish) as running:
        sys.stdout.write(json.dumps({"ready": asdict(running.ready)}) + "\n")
        sys.stdout.flush()
        ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
        living = asyncio.ensure_future(running.go_on(wish.pace))
        await asyncio.wait({ended, living}, return_when=asyncio.FIRST_COMPLETED)
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await living


def main() -> None:
    """The child's beginning."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Ctrl-C and a service manager signal the whole group; the parent ends us in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wish = Wish(**json.loads(sys.stdin.readline()))
    try:
        asyncio.run(_serve(wish))
    except Misconfigured as error:
        sys.stdout.write(json.dumps({"problem": error.problem, "mend": error.mend}) + "\n")


if __name__ == "__main__":
    main()
