"""Asking for a connection's options: a walk over the connector's Pydantic model, which is the form."""

import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from schemas.errors import Misconfigured
from services.admin.forms import advanced
from services.cli.terminal import WrongUse, answered
from services.feed.objections import objections

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked for one field."""

    title: str
    help: str
    default: str | None = None
    """What Enter means; None: an answer is needed."""
    choices: tuple[str, ...] = ()
    hidden: bool = False


Ask = Callable[[Question], str]
"""The person's answer, as typed; the default where it is only Enter."""


class Answers:
    """Asks, and after `again` offers what was answered before as the default. Kept in memory only; secrets unseen."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._now: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def __call__(self, question: Question) -> str:
        """The answer, which may be the one of before."""
        before = self._before.get(question.title)
        if not before or (question.choices and before not in question.choices):
            answer = self._ask(question)
        else:
            answer = self._ask(_offering(question, before))
            if question.hidden and not answer.strip():
                answer = before
            elif question.default == "" and answer.strip() == _LEFT_OUT:
                answer = ""
        self._now[question.title] = answer
        return answer

    def again(self) -> bool:
        """Whether the person wants to correct something; from then on the answers so far are offered."""
        help_line = "Nothing is saved. Each question comes again with what you answered: Enter keeps it"
        try:
            wanted = self._ask(Question("Correct it", help_line, "yes", ("yes", "no"))) == "yes"
        except WrongUse:  # nobody is there any more
            return False
        self._before = self._before | self._now
        return wanted


_LEFT_OUT = "-"


def _offering(question: Question, before: str) -> Question:
    lines = [question.help]
    if question.hidden:
        lines.append("What you typed is kept, press Enter; it is not shown")
    if question.default == "":
        lines.append(f"A hyphen ({_LEFT_OUT}) leaves it out")
    return replace(question, help="\n".join(lines), default="" if question.hidden else before)


def fill_in(model: type[BaseModel], ask: Ask, say: Say, *, every: bool = False) -> BaseModel:
    """The options as a person answers. Asks again for what is wrong; every: the advanced ones too.

    Advanced is what has a default and is neither a choice nor a list: those say what is read and kept, the others how.
    """
    values: dict[str, Any] = {}
    names = [name for name, field in model.model_fields.items() if every or not _advanced(field)]
    while True:
        for name in names:
            answer = _field(name, model.model_fields[name], ask, every=every)
            values.pop(name, None)
            if answer is not None:
                values[name] = answer
        try:
            return model.model_validate(values)
        except ValidationError as error:
            names = _wrong(model, error, say)


def _advanced(field: FieldInfo) -> bool:
    """What has a default and is no choice; of lists those that pages fold away, too."""
    kind = get_origin(_plain(field.annotation))
    return not field.is_required() and (kind is not Literal if kind not in (tuple, list) else advanced(field))


def _wrong(model: type[BaseModel], error: ValidationError, say: Say) -> list[str]:
    """Say what is wrong; the fields to ask again. Raises Misconfigured where no field is named."""
    names: dict[str, None] = {}
    for one in objections(model, error):
        name = one.path[0] if one.path else ""
        if name not in model.model_fields:
            raise Misconfigured(one.said, "Fill the form in again")
        inner = "".join(f", {step.replace('_', ' ')}" for step in one.path[1:])
        say(f"{_title(name, model.model_fields[name])}{inner}: {one.problem}")
        names[name] = None
        if one.several:  # one of them, or a choice that decides about it, is wrong
            names |= {other: None for other, field in model.model_fields.items() if _is_choice(field)}
    return [name for name in model.model_fields if name in names]


def _is_choice(field: FieldInfo) -> bool:
    return get_origin(_plain(field.annotation)) is Literal and not _advanced(field)


def _title(name: str, field: FieldInfo) -> str:
    return field.title or name.replace("_", " ").capitalize()


def _plain(annotation: Any) -> Any:
    """Without Annotated and without `| None`."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    members = _members(annotation)
    return _plain(members[0]) if len(members) == 1 and members[0] is not annotation else annotation


def _members(annotation: Any) -> list[Any]:
    """The kinds of a union, without None."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [one for one in get_args(annotation) if one is not type(None)]
    return [annotation]


def _field(name: str, field: FieldInfo, ask: Ask, *, every: bool) -> Any:
    kind = _plain(field.annotation)
    models = [one for one in _members(kind) if isinstance(one, type) and issubclass(one, BaseModel)]
    if models:
        return _group(name, field, models, ask, every=every)
    answer = ask(_question(name, field, kind)).strip()
    return _value(kind, answer)


def _group(name: str, field: FieldInfo, models: list[type[BaseModel]], ask: Ask, *, every: bool) -> dict[str, Any]:
    """One of several groups of fields, then its fields."""
    by_kind = {_discriminator(one): one for one in models}
    chosen = next(iter(by_kind))
    if len(models) > 1:
        lines = [f"{kind}: {_about(one)}" for kind, one in by_kind.items()]
        chosen = ask(Question(_title(name, field), "\n".join([field.description or "", *lines]), chosen,
                              tuple(by_kind)))  # fmt: skip
    fields = {each: one for each, one in by_kind[chosen].model_fields.items() if each != "kind"}
    wanted = {each: one for each, one in fields.items() if every or not _advanced(one)}
    inner = {each: _field(each, one, ask, every=every) for each, one in wanted.items()}
    filled = {each: value for each, value in inner.items() if value is not None}
    return ({"kind": chosen} if "kind" in by_kind[chosen].model_fields else {}) | filled


def _discriminator(model: type[BaseModel]) -> str:
    field = model.model_fields.get("kind")
    return str(field.default) if field else model.__name__


def _about(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _question(name: str, field: FieldInfo, kind: Any) -> Question:
    hidden = kind is SecretStr
    default = None if field.is_required() else "" if hidden else _written(field.get_default(call_default_factory=False))
    choices = tuple(str(one) for one in get_args(kind)) if get_origin(kind) is Literal else ()
    if kind is bool:
        choices = ("yes", "no")
    example = f" (such as {field.examples[0]})" if field.examples else ""
    return Question(_title(name, field), f"{field.description or ''}{example}", default, choices, hidden)


def _written(value: Any) -> str:
    """A default as a person would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _value(kind: Any, answer: str) -> Any:
    """What the model takes; None where nothing was typed."""
    if not answer:
        return None
    if kind is bool:
        return answer == "yes"
    if get_origin(kind) in (tuple, list):
        return [part.strip() for part in answer.split(",") if part.strip()]
    return answer


_FILE = "give a file: --file connection.yaml (docs/cli.md shows one), and --yes to save it"
_AGREE = "pass --yes to save it"
_YES_OR_NO = ("yes", "no")


def at_terminal(say: Say) -> Ask:
    """Questions at the terminal: secrets are not shown, Enter takes the default."""

    def ask(question: Question) -> str:
        say("")
        for line in filter(None, question.help.splitlines()):
            say(f"  {line}")
        title = question.title + (f" ({', '.join(question.choices)})" if question.choices else "")
        # What is hidden shows no default either; Enter leaves it out.
        shown = question.default not in (None, "") and not question.hidden
        while True:
            with answered(_AGREE if question.choices == _YES_OR_NO else _FILE):
                answer: str = typer.prompt(
                    title, default=question.default or "", hide_input=question.hidden, show_default=shown, err=True
                )
            meant = [one for one in question.choices if one.startswith(answer.strip().lower())]
            if not answer.strip() and question.default is None:
                say("  An answer is needed; Ctrl-C ends without saving anything")
            elif question.choices and len(meant) != 1 and answer not in question.choices:
                say(f"  Give one of: {', '.join(question.choices)}")
            else:
                return meant[0] if len(meant) == 1 else answer

    return ask
