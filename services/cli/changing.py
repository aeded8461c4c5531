"""`throughline connections change`: other options or a new secret, tested before they are stored; the cursor stays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import yaml
from pydantic import SecretStr
from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.contract import Connector
from pipelines.store import configuration
from pipelines.store.engine import reading
from schemas.errors import Misconfigured
from services.admin import sameness, saving, setting_up
from services.admin.given import KIND, at, kept, put, secret_names, stored_options
from services.admin.saving import Who
from services.admin.setting_up import Wanted
from services.cli import filing, form, trial
from services.cli.adding import connector_of
from services.cli.equipping import equipment
from services.cli.stored import stored_one
from services.cli.terminal import WrongUse, tell
from services.cli.typist import typist
from services.feed.connections import StoredConnection, parse_options

if TYPE_CHECKING:
    from services.cli.installation import Installation

_ELSEWHERE = ("env:", "file:")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed with the command."""

    file: Path | None = None
    settings: Sequence[str] = ()
    """Each option=value."""
    secrets: Sequence[str] = ()
    """Options to ask a new secret for."""
    yes: bool = False
    anyway: bool = False


async def change(
    made: "Installation",
    name: str,
    asked: Asked,
    now: Callable[[], datetime],
    screen: Console,
    ask: form.Ask | None = None,
) -> int:
    """Change a connection; the exit code of the check of what it would be where that fails, and nothing is saved."""
    if not (asked.file or asked.settings or asked.secrets):
        raise WrongUse("Say what to change: --set option=value, --secret option, or --file")
    if asked.file and (asked.settings or asked.secrets):
        raise WrongUse("Give either --file, which says all options, or --set and --secret")
    ask = ask or form.at_terminal(tell)
    async with stored_one(made, name) as (engine, stored):
        connector = connector_of(made, stored.connector)
        wanted = _from_file(made, stored, connector, asked.file) if asked.file else (
            _from_words(made, stored, connector, asked, ask)
        )  # fmt: skip
        found = saving.differs(made.keys, stored, wanted)
        if not found:
            screen.print(f"{name} is so already. Nothing is changed.")
            return 0
        return await _try_and_save(made, engine, stored, wanted, found.lines, asked, now, screen, ask)


async def _try_and_save(
    made: "Installation", engine: AsyncEngine, stored: StoredConnection, wanted: Wanted, lines: list[str],
    asked: Asked, now: Callable[[], datetime], screen: Console, ask: form.Ask,
) -> int:  # fmt: skip
    parts = equipment(made, engine, now=now)
    async with reading(engine) as connection:
        seen = sameness.scopes_of(await configuration.every(connection), stored.id)
    await setting_up.refuse_another(parts, wanted, seen, anyway=asked.anyway)
    for line in lines:
        screen.print(Text(f"  {line}"))
    screen.print(Text(f"Testing {wanted.title}", style="bold"))
    async with setting_up.opened(parts, wanted, seen=seen) as tool:
        if failed := await trial.fails(tool, screen):
            screen.print("Nothing is changed.")
            return failed
        trial.remarked(await setting_up.remarks(tool.source), screen)
        seen |= await setting_up.seen_by(tool)
    wanted = wanted.with_replaced(tool)
    if not asked.yes and ask(_question(stored.id, elsewhere=saving.moves(stored, wanted))) != "yes":
        screen.print("Nothing is changed.")
        return 0
    again = await saving.change(parts, stored, wanted, seen, Who(typist()))
    screen.print(_said(stored.id, again=again), markup=False)
    return 0


def _question(name: str, *, elsewhere: bool) -> form.Question:
    help_line = "It reads on from where it was"
    if elsewhere:
        help_line = f"Only if it is the same tool as before: for another, add another connection. {name} is read again"
    return form.Question("Save it", help_line, "no" if elsewhere else "yes", ("yes", "no"))


def _said(name: str, *, again: bool) -> str:
    if again:
        return f"{name} is changed, and read again from the start. What is known already changes nothing."
    return (
        f"{name} is changed, and reads on from where it was. If it may see more than before, "
        f"`throughline connections reread {name}` reads the past of that too."
    )


def _from_file(made: "Installation", stored: StoredConnection, connector: Connector, path: Path | None) -> Wanted:
    assert path is not None
    filed = filing.read(path)
    if filed.text("connector") != connector.name:
        raise Misconfigured(f"{path} is not about {connector.name}", f"Say connector: {connector.name}", "connector")
    if filed.text("name") not in (None, stored.id):
        raise Misconfigured(f"{path} is about {filed.text('name')}", "Give that connection's name", "name")
    options = filed.options(connector.Options, made.secret)
    return Wanted(stored.id, filed.text("title") or stored.title, connector, options, stored.since, stored)


def _from_words(
    made: "Installation", stored: StoredConnection, connector: Connector, asked: Asked, ask: form.Ask
) -> Wanted:
    """The stored options with what was typed; stored secrets only where they go to whom they were given for."""
    hidden = secret_names(connector.Options)
    raw = stored_options(stored)
    given: dict[str, SecretStr | None] = {}
    typed = [(_full(name, hidden) or name, text) for name, text in map(_halves, asked.settings)]
    for name, text in sorted(typed, key=lambda one: one[0] != KIND):
        if name in hidden:
            given[name] = _secret(made, name, text)
        else:
            put(raw, name, _value(at(stored.options, name), text))
            if name == KIND and text != at(stored.options, KIND):
                raw["auth"] = {"kind": text}
    for name in asked.secrets:
        full = _full(name, hidden)
        if full is None:
            raise Misconfigured(f"{name} is no secret of this connection", f"Its secrets are {', '.join(hidden)}", name)
        given[full] = _asked_for(name, ask)
    for name, secret in {**kept(stored, raw, given, made.keys), **given}.items():
        put(raw, name, secret)
    return Wanted(stored.id, stored.title, connector, parse_options(connector.Options, raw), stored.since, stored)


def _full(name: str, hidden: Sequence[str]) -> str | None:
    """The dotted name of a secret, of which the last part is enough; None for what is none."""
    found = [one for one in hidden if name in (one, one.rpartition(".")[2])]
    return found[0] if len(found) == 1 else None


def _asked_for(name: str, ask: form.Ask) -> SecretStr:
    text = ask(form.Question(name, "The new secret; it is not shown", None, hidden=True)).strip()
    if not text:
        raise Misconfigured(f"{name}: nothing was typed", "Give the new secret", name)
    return SecretStr(text)


def _secret(made: "Installation", name: str, text: str) -> SecretStr | None:
    if text and not text.startswith(_ELSEWHERE):
        raise Misconfigured(
            f"{name} is a secret, and what is typed with a command is kept by the shell",
            f"Say --secret {name} and be asked, or --set {name}=env:NAME or file:PATH", name,
        )  # fmt: skip
    return made.secret(text) if text else None


def _halves(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise typer.BadParameter("write --set option=value")
    return name.strip(), value.strip()


def _value(before: Any, text: str) -> Any:
    """What was typed, as the model takes it: a list where one was before, by commas or as YAML."""
    if text.startswith("["):
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError:
            raise typer.BadParameter("write a list as [first, second]") from None
    if isinstance(before, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text or None
