"""A connection from a YAML file: what is unknown or wrong is refused by line and column, secrets lie elsewhere."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import BaseModel, SecretStr, ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from schemas.errors import Misconfigured
from services.cli.words import BEGINNING, read_start
from services.feed.connections import split_secrets
from services.feed.objections import Objection, objections

KEYS = ("connector", "name", "title", "since", "options")
_ELSEWHERE = ("env:", "file:")

Secret = Callable[[str], SecretStr]
"""The secret that `env:NAME` or `file:PATH` names."""

Complete = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Filed:
    """What a file says; the options are not checked yet."""

    path: Path
    node: MappingNode
    told: dict[str, Any]
    prefix: tuple[str, ...] = ()
    """Where in the file this stands."""

    def part(self, *path: str, keys: Sequence[str], of: str) -> "Filed":
        """Names and values at a place, which has only these keys. Raises Misconfigured."""
        told: Any = self.told
        for step in path:
            told = told.get(step) or {}
        if not isinstance(told, dict):
            raise self.wrong(path, f"{path[-1]} holds no names and values", "Write each as name: value")
        found = Filed(self.path, self.node, told, (*self.prefix, *path))
        for key in told:
            if keys and key not in keys:
                raise found.wrong((key,), f"{key} is no key of {of}", meant(key, keys))
        return found

    def place(self, *path: str) -> str:
        """Line and column of something in it."""
        return place(self.node, (*self.prefix, *path))

    def text(self, name: str) -> str | None:
        """One of the file's own keys as text; None where it is not there."""
        value = self.told.get(name)
        if value is None:
            return None
        if isinstance(value, dict | list):
            raise self.wrong((name,), f"{name} is no text", "Give a single value")
        return str(value)

    def since(self, now: datetime) -> datetime | None:
        """From when it is read; None: from the beginning, as where it does not say. Raises Misconfigured."""
        text = self.text("since")
        if text in (None, BEGINNING):
            return None
        try:
            return read_start(str(text), now, "since")
        except typer.BadParameter as error:
            raise self.wrong(("since",), f"since: {error.message}", f"Correct it; {BEGINNING} reads all") from None

    def options(self, model: type[BaseModel], secret: Secret, complete: Complete = lambda _: None) -> BaseModel:
        """The checked options. complete: adds what the file may leave out. Raises Misconfigured with the place of the
        first that is wrong."""
        raw = self.told.get("options") or {}
        if not isinstance(raw, dict):
            raise self.wrong(("options",), "options are no list of names and values", "Write them as name: value")
        filled = self._resolved(raw, secret, ("options",))
        complete(filled)
        try:
            options = model.model_validate(filled)
        except ValidationError as error:
            raise self._told(objections(model, error)) from None
        for name in split_secrets(options)[1]:
            path = ("options", *name.split("."))
            written = _at(raw, path[1:])
            if written is not None and not str(written).startswith(_ELSEWHERE):
                raise self.wrong(path, f"{name} is a secret in clear", "Write env:NAME or file:PATH, where it is")
        return options

    def _resolved(self, value: Any, secret: Secret, path: tuple[str, ...]) -> Any:
        """With the secrets that are named in place of their names."""
        if isinstance(value, dict):
            return {name: self._resolved(one, secret, (*path, name)) for name, one in value.items()}
        if isinstance(value, list):
            return [self._resolved(one, secret, (*path, str(number))) for number, one in enumerate(value)]
        if not (isinstance(value, str) and value.startswith(_ELSEWHERE)):
            return value
        try:
            return secret(value).get_secret_value()
        except Misconfigured as error:
            raise self.wrong(path, f"{'.'.join(path[1:])}: {error.problem}", error.mend) from None

    def _told(self, wrong: Sequence[Objection]) -> Misconfigured:
        first = wrong[0]
        path = ("options", *first.path)
        told = self.wrong(path[:-1] if first.kind == "missing" else path, first.said, first.mend)
        if len(wrong) == 1:
            return told
        others = ", ".join(one.field or "options" for one in wrong[1:])
        return Misconfigured(told.problem, f"{first.mend}. Wrong too: {others}", told.field)

    def wrong(self, path: Sequence[str], problem: str, mend: str) -> Misconfigured:
        """An error about something in it, with its line and column."""
        at = self.place(*path)
        return Misconfigured(f"{self.path}, {at}: {problem}", mend, path[-1] if path else "")


def read(path: Path) -> Filed:
    """The file of a connection, its own keys checked. Raises Misconfigured."""
    filed = document(path, KEYS, "a connection")
    if "connector" not in filed.told:
        raise Misconfigured(f"{path}: connector is missing", "Say which connector it is, such as connector: jira")
    return filed


def document(path: Path, keys: Sequence[str], of: str) -> Filed:
    """A file of names and values that has only these keys. Raises Misconfigured."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror})", "Look at its path and rights") from None
    except (yaml.YAMLError, UnicodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", {_mark(mark)}" if mark else ""
        raise Misconfigured(f"{path}{where}: this is no YAML", "Look at indentation, colons and quotes") from None
    if not isinstance(node, MappingNode):
        raise Misconfigured(f"{path} holds no names and values", f"Write the keys {', '.join(keys)}")
    for key, _ in node.value:
        if key.value not in keys:
            problem = f"{path}, {_mark(key.start_mark)}: {key.value} is no key of {of}"
            raise Misconfigured(problem, meant(str(key.value), keys), str(key.value))
    return Filed(path, node, _plain(node, path))


def meant(key: str, keys: Sequence[str]) -> str:
    """The mend for a key that is none: the nearest, and all there are."""
    near = difflib.get_close_matches(key, keys, n=1)
    return f"{f'Is {near[0]} meant? ' if near else ''}The keys are {', '.join(keys)}"


def _plain(node: Node, path: Path) -> Any:
    """The node's value. Times stay text; a key that stands twice is refused."""
    if isinstance(node, ScalarNode):
        if node.tag.endswith((":timestamp", ":str", ":binary")):
            return node.value
        return yaml.safe_load(node.value)
    if isinstance(node, SequenceNode):
        return [_plain(one, path) for one in node.value]
    assert isinstance(node, MappingNode)
    told: dict[str, Any] = {}
    for key, value in node.value:
        if str(key.value) in told:
            raise Misconfigured(f"{path}, {_mark(key.start_mark)}: {key.value} stands twice", "Keep one")
        told[str(key.value)] = _plain(value, path)
    return told


def _at(value: Any, path: Sequence[str]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def place(node: Node, path: Sequence[str]) -> str:
    """Line and column where a path leads; parts that the file does not hold are passed over."""
    mark = node.start_mark
    for step in path:
        if isinstance(node, MappingNode):
            for key, value in node.value:
                if key.value == step:
                    mark, node = key.start_mark, value
                    break
        elif isinstance(node, SequenceNode) and step.isdecimal() and int(step) < len(node.value):
            node = node.value[int(step)]
            mark = node.start_mark
    return _mark(mark)


def _mark(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
