"""The commands as a page: `python -m services.cli.reference > docs/cli.md`."""

import re
import sys
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from services.cli.app import app

PREFACE = """# The command line

This page is made from the commands themselves: `python -m services.cli.reference > docs/cli.md`.

Commands read the database directly, so they work beside a running hub and without one. What changes something
(pause, read again, replay) is written down as a wish, and the running hub carries it out within seconds. A decision
(`link`, `split`, …) takes effect before its command ends.

- **Output** goes to standard output, everything else to standard error. Where the output is no terminal there are no
  colours, and lines are 100 columns wide; below 70 columns one thing stands under the other. `NO_COLOR` is minded.
  Times are in this machine's zone. A reader that has seen enough (`| head`) ends a command quietly, with exit code 0.
- **Lengths of time** are `90m`, `36h`, `14d` or `2w`; a number alone is days.
- **Help**: `--help`, or `-h`, after any command.
- **Questions** need a terminal. Without one, `--yes` agrees, and `--file` says what a form would ask for.
  After a test that fails a form comes again with what was answered; Enter keeps an answer, also a secret.
- **`--json`** prints one JSON value a line: whole records for `lookup` and `requests`, one item a line for lists.
  `requests` prints as many as `--limit` says (25 if it is left out, 1,000,000 at most), and says on standard error
  that there are more.
- **Secrets** are asked for without showing them, stored sealed, and never shown again.

| exit code | meaning |
|---|---|
| 0 | well |
| 1 | unexpected: a fault of the hub's own |
| 2 | wrong use: an option, a connector or a file that is not there; the message names it |
| 3 | a person must mend something, such as what a file or an option's value says: the message says what, and how |
| 4 | try again later: something is away, also a tool at whose address nothing answers when it is tested |
| 5 | not found, or known but in no request |
| 6 | a decision was refused: another one stands in the way, or something changed meanwhile |
| 7 | `config diff`: the file says something else than what is set up |
| 130 | ended by Ctrl-C; `up`, `run` and `sandbox` run until then, and end with 0 once they have begun |

## What `lookup --json` prints

For a reference that is in requests, their records, one a line, and nothing else. Otherwise the first line tells what it
leads to; it has `read_as`, which no record has, and its `outcome` is one of these:

| `outcome` | exit code | what is printed |
|---|---|---|
| `programme` | 0 | that line, then the records of the requests that belong to it, the 50 newest at most |
| `in no request` | 5 | that line, with the thing among `artifacts`, and in `kept_out` the decision that keeps it out |
| `not found` | 5 | that line; with `as_of` where nothing of it existed at the moment of `--as-of` |

The line holds what an item of [the API's look-up](api.md) holds (`read_as`, `requests`, `artifacts`, `gone`,
`other_host`), and `freshness`: what each connection reads, since when, and up to when that is true.

## A connection from a file

`throughline connections add --file connection.yaml --yes` takes what the form would ask for. What it does not know is
refused by line and column; a secret stands elsewhere, as `env:NAME` or `file:PATH`.

```yaml
connector: jira
name: jira-acme           # permanent
title: Jira of Acme
since: 2026-01-01         # or 90d, or beginning
options:                  # as the connector's page lists them
  base_url: https://acme.atlassian.net
  auth:
    kind: api_token
    email: hub@acme.example
    token: env:JIRA_TOKEN
  projects: [PAY, OPS]
```

## The whole set-up as a file

`throughline config export` writes connections, what was chosen for their rules and stage maps, and the limits of all,
and no secret. `config diff FILE` tells what applying it would change; `config apply FILE` shows that, asks, tests
each tool that changes, and does it, also where no hub ran yet. Applied again it changes nothing. What the file leaves
out is left alone: a connection it does not name, a part it does not have, and a stored secret, as long as address and
kind of signing in are the same. A connection goes only where that is said, and what becomes of what it brought:
`removed: keep` or `removed: drop` in its place in the file, or `--remove keep` or `--remove drop` for all that the
file does not name. What is unknown is refused by line and column, with what may be meant.

```yaml
connections:
  jira-acme:                # permanent
    connector: jira
    title: Jira of Acme
    since: 2026-01-01       # or beginning; another one reads again. 90d: when it is added
    state: reading          # or paused, stopped
    options:
      base_url: https://acme.atlassian.net
      auth: {kind: api_token, email: hub@acme.example, token: "env:JIRA_TOKEN"}
    rules:                  # as `rules apply` takes them
      stages:
        - {status: Awaiting steering board, stage: requirements, state: waiting}
rules:                      # of all connections, as `rules apply` takes them
  generic: 30
```

## The commands
"""


def reference() -> str:
    """The page, as Markdown."""
    return PREFACE + "".join(_pages(get_command(app), "throughline"))


def _pages(command: Any, name: str) -> Iterator[str]:
    commands = getattr(command, "commands", None)
    if commands is None:
        yield _page(command, name)
        return
    if name != "throughline":
        yield f"\n### `{name}`\n\n{_text(command.help)}\n"
    for each, one in commands.items():
        yield from _pages(one, f"{name} {each}")


def _page(command: Any, name: str) -> str:
    usage = " ".join(_metavar(one) for one in command.params if one.param_type_name == "argument")
    lines = [f"\n### `{name}{' ' if usage else ''}{usage}`\n", _text(command.help), ""]
    told = [f"| {_named(one)} | {_about(one)} |" for one in command.params if one.name != "help"]
    return "\n".join([*lines, *(["| | |", "|---|---|", *told, ""] if told else [])])


def _metavar(argument: Any) -> str:
    metavar = str(argument.metavar or argument.name.upper()).strip("[].")
    return (metavar if argument.required else f"[{metavar}]") + ("..." if argument.nargs == -1 else "")


def _named(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_metavar(parameter)}`"
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper().rpartition('_')[2]}"
    return f"`{', '.join(parameter.opts)}{value}`"


def _about(parameter: Any) -> str:
    default = parameter.default
    shown = f" (default: {default})" if isinstance(default, int | str) and not isinstance(default, bool) and (
        default != "") else ""  # fmt: skip
    required = ", required" if parameter.required and parameter.param_type_name == "option" else ""
    return f"{_text(parameter.help)}{required}{shown}".replace("|", "\\|")


def _text(marked: str | None) -> str:
    """Without the terminal's markup; what is bold there is code here."""
    return re.sub(r"\[bold\](.*?)\[/\]", r"`\1`", (marked or "").strip())


if __name__ == "__main__":
    sys.stdout.write(reference())
