"""`throughline connections change`: other options or a new secret, tested before they are stored; the cursor stays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import orjson
import typer
import yaml
from pydantic import BaseModel, SecretStr
from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.contract import Connector
from pipelines.store import configuration
from pipelines.store.engine import reading, writing
from pipelines.store.pending import ask_everything
from schemas.errors import Misconfigured
from services.cli import filing, form, sameness, trial
from services.cli.adding import connector_of, described
from services.cli.connections import stored_one
from services.cli.terminal import EXIT_MISCONFIGURED, WrongUse, tell
from services.feed import connections
from services.feed.connections import StoredConnection, parse_options, split_secrets, with_secrets
from services.feed.objections import groups
from services.feed.rules import configuration_of
from services.security import key_id_of

if TYPE_CHECKING:
    from services.cli.installation import Installation

_ELSEWHERE = ("env:", "file:")
_WHERE_TO = (
    "base_url", "host", "port", "security", "auth.gateway", "auth.provider", "auth.tenant", "auth.token_url",
)  # fmt: skip
"""Options that say where secrets are sent, and whether in clear."""
_KIND = "auth.kind"


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


@dataclass(frozen=True, slots=True)
class Changed:
    """A connection as it is to be."""

    title: str
    options: BaseModel
    lines: list[str]
    """What differs, secrets only by name."""


async def change(
    made: "Installation",
    name: str,
    asked: Asked,
    now: Callable[[], datetime],
    screen: Console,
    ask: form.Ask | None = None,
) -> int:
    """Change a connection; EXIT_MISCONFIGURED where the check of what it would be fails, and nothing is saved."""
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
        if not wanted.lines:
            screen.print(f"{name} is so already. Nothing is changed.")
            return 0
        return await _try_and_save(made, engine, stored, connector, wanted, asked, now, screen, ask)


async def _try_and_save(
    made: "Installation", engine: AsyncEngine, stored: StoredConnection, connector: Connector, wanted: Changed,
    asked: Asked, now: Callable[[], datetime], screen: Console, ask: form.Ask,
) -> int:  # fmt: skip
    async with reading(engine) as connection:
        rules = await configuration.every(connection)
        others = await sameness.known(connection, made)
    seen = sameness.scopes_of(rules, stored.id)
    new = sameness.tool_of(stored.id, connector, wanted.options, seen)
    sameness.refuse_another(new, others, anyway=asked.anyway)
    for line in wanted.lines:
        screen.print(Text(f"  {line}"))
    screen.print(Text(f"Testing {wanted.title}", style="bold"))
    of_account = _of_account(wanted.options, seen)
    async with trial.opened_source(made, connector, stored.id, of_account, now, sandbox=True) as source:
        if not await trial.passes(source, screen):
            screen.print("Nothing is changed.")
            return EXIT_MISCONFIGURED
    plain = split_secrets(wanted.options)[0]
    # Where another mailbox is read, or may be, the cursor means nothing.
    elsewhere = _elsewhere(stored.options, plain, *_WHERE_TO, "auth.user")
    if not asked.yes and ask(_question(stored.id, elsewhere=elsewhere)) != "yes":
        screen.print("Nothing is changed.")
        return 0
    own = configuration_of(connector, wanted.options, seen)
    await _save(engine, made, stored, wanted, own, now(), again=elsewhere)
    screen.print(_said(stored.id, again=elsewhere), markup=False)
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


def _of_account(options: BaseModel, seen: frozenset[str]) -> BaseModel:
    """With the account's number where it is known, so that the check refuses a token of another account."""
    numbers = [one.partition(":")[2] for one in seen]
    if len(numbers) != 1 or not numbers[0].isdecimal() or "portal" not in type(options).model_fields:
        return options
    return options.model_copy(update={"portal": int(numbers[0])})


async def _save(
    engine: AsyncEngine, made: "Installation", stored: StoredConnection, wanted: Changed,
    own: configuration.ConnectionConfiguration, at: datetime, *, again: bool,
) -> None:  # fmt: skip
    """Options, secrets and rules in one transaction; whoever reads with the old ones begins anew."""
    async with writing(engine) as connection:
        if not await connections.reconfigure(connection, stored, wanted.title, wanted.options, made.keys):
            raise Misconfigured(f"{stored.id} was changed or removed meanwhile", "Look at it, and change it again")
        if again:
            await connections.start_again(connection, stored.id, stored.since)
        before = (await configuration.every(connection)).get(stored.id)
        await configuration.write(connection, stored.id, own)
        if (await configuration.every(connection)).get(stored.id) != before:
            await ask_everything(connection, f"connection {stored.id} changed", at)


def _from_file(made: "Installation", stored: StoredConnection, connector: Connector, path: Path | None) -> Changed:
    assert path is not None
    filed = filing.read(path)
    if filed.text("connector") != connector.name:
        raise Misconfigured(f"{path} is not about {connector.name}", f"Say connector: {connector.name}", "connector")
    if filed.text("name") not in (None, stored.id):
        raise Misconfigured(f"{path} is about {filed.text('name')}", "Give that connection's name", "name")
    options = filed.options(connector.Options, made.secret)
    return _changed(made, stored, filed.text("title") or stored.title, options)


def _from_words(
    made: "Installation", stored: StoredConnection, connector: Connector, asked: Asked, ask: form.Ask
) -> Changed:
    """The stored options with what was typed; stored secrets only where they go to whom they were given for."""
    hidden = secret_names(connector.Options)
    raw: dict[str, Any] = orjson.loads(orjson.dumps(stored.options))
    given: dict[str, SecretStr | None] = {}
    typed = [_halves(one) for one in asked.settings]
    for name, text in sorted(typed, key=lambda one: one[0] != _KIND):
        if name in hidden:
            given[name] = _secret(made, name, text)
        else:
            _put(raw, name, _value(_at(stored.options, name), text))
            if name == _KIND and text != _at(stored.options, _KIND):
                raw["auth"] = {"kind": text}
    for name in asked.secrets:
        given[_full(name, hidden)] = _asked_for(name, ask)
    kept = _kept(made, stored, raw, given)
    for name, secret in {**kept, **given}.items():
        _put(raw, name, secret)
    return _changed(made, stored, stored.title, parse_options(connector.Options, raw))


def _kept(
    made: "Installation", stored: StoredConnection, raw: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, SecretStr]:
    """The stored secrets that stay. Raises Misconfigured where the options would send them to another address."""
    left = [name for name in sorted(stored.secrets) if name not in given]
    if _at(raw, _KIND) != _at(stored.options, _KIND):
        left = [name for name in left if not name.startswith("auth.")]
    if left and _elsewhere(stored.options, raw):
        wanted = " ".join(f"--secret {name}" for name in left)
        raise Misconfigured(
            "Stored secrets are never sent to another address than they were given for", f"Give them again: {wanted}",
            left[0],
        )  # fmt: skip
    told = with_secrets(stored, made.keys) if left else {}
    return {name: _at(told, name) for name in left}


def _elsewhere(before: Mapping[str, Any], after: Mapping[str, Any], *names: str) -> bool:
    """Whether these options lead to another address than those; names: by these options only."""
    return any(_plain(_at(before, name)) != _plain(_at(after, name)) for name in names or _WHERE_TO)


def _plain(value: Any) -> str:
    return "" if value is None else str(value).strip().rstrip("/").lower()


def _changed(made: "Installation", stored: StoredConnection, title: str, options: BaseModel) -> Changed:
    plain, secrets = split_secrets(options)
    before, after = dict(described(stored.options)), dict(described(plain))
    lines = [] if title == stored.title else [f"title: {stored.title} → {title}"]
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            lines.append(f"{name}: {old or 'nothing'} → {new or 'nothing'}")
    for name in sorted({*secrets, *stored.secrets}):
        if name not in secrets:
            lines.append(f"{name}: forgotten")
        elif name not in stored.secrets or not _same(made, stored, name, secrets[name]):
            lines.append(f"{name}: a new secret")
        elif key_id_of(stored.secrets[name], name) != made.keys.key_ids[0]:
            lines.append(f"{name}: sealed with the new key")
    return Changed(title, options, lines)


def _same(made: "Installation", stored: StoredConnection, name: str, secret: SecretStr) -> bool:
    try:
        return made.keys.open(stored.id, name, stored.secrets[name]) == secret
    except Misconfigured:  # its key is lost: that is why it is given again
        return False


def secret_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """The options of a model that are secrets, by their dotted names."""
    found: dict[str, None] = {}
    for name, field in model.model_fields.items():
        if SecretStr in (field.annotation, *get_args(field.annotation)):
            found[prefix + name] = None
        for inner in groups(model, name):
            found |= dict.fromkeys(secret_names(inner, f"{prefix}{name}."))
    return list(found)


def _full(name: str, hidden: Sequence[str]) -> str:
    """The dotted name of a secret, of which the last part is enough."""
    found = [one for one in hidden if name in (one, one.rpartition(".")[2])]
    if len(found) != 1:
        raise Misconfigured(f"{name} is no secret of this connection", f"Its secrets are {', '.join(hidden)}", name)
    return found[0]


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


def _at(told: Mapping[str, Any], name: str) -> Any:
    value: Any = told
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _put(raw: dict[str, Any], name: str, value: Any) -> None:
    """Set an option by its dotted name; None takes it away, so that its default holds."""
    *path, last = name.split(".")
    place = raw
    for step in path:
        inner = place.setdefault(step, {})
        if not isinstance(inner, dict):
            raise Misconfigured(f"{name} is no option", f"{step} holds a single value", name)
        place = inner
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value
