"""`up` as a person sees it begin and end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2


def up(folder: Path, **settings: str) -> "subprocess.Popen[str]":
    told = {"DATA_DIR": str(folder), "API_PORT": "0", "WEBHOOK_PORT": "0"} | settings
    return subprocess.Popen(
        [sys.executable, "-c", "from services.cli import main; main()", "up"], stderr=subprocess.PIPE, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)} | {f"THROUGHLINE_{k}": v for k, v in told.items()},
    )  # fmt: skip


def test_it_says_in_one_line_where_it_listens_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    process = up(tmp_path / "data")
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("The hub runs: the API at http://127.0.0.1:")
        assert said.endswith(". Ctrl-C ends it.\n")
        address = said.partition("the API at ")[2].partition(",")[0]
        assert httpx2.get(f"{address}/livez").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()
