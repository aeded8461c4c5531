"""A hub with the sandbox company, as `throughline up --sandbox` starts it, in a process of its own."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2


@contextmanager
def running(folder: Path, requests: int) -> Iterator[str]:
    """The hub's address, once everything that the company had at the beginning is read; open to this machine."""
    told = {"DATA_DIR": str(folder), "API_PORT": "0", "WEBHOOK_PORT": "0", "LOG_LEVEL": "warning"}
    command = [
        sys.executable, "-c", "from services.cli import main; main()", "up", "--sandbox", "--pace", "1",
        "--requests", str(requests),
    ]  # fmt: skip
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | {f"THROUGHLINE_{k}": v for k, v in told.items()}
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        yield asyncio.run(_read(log, process))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _read(log: Path, process: "subprocess.Popen[bytes]", seconds: float = 60) -> str:
    async with asyncio.timeout(seconds), httpx2.AsyncClient() as http:
        while True:
            assert process.poll() is None, log.read_text()
            found = re.search(r"Open (http://[\d.:]+) in a browser", log.read_text())
            if found:
                answer = (await http.get(f"{found[1]}/v1/connections")).json()["items"]
                if len(answer) == 3 and all(one["first_read_done"] and one["true_up_to"] for one in answer):
                    return found[1]
            await asyncio.sleep(0.2)
