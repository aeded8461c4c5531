"""Help as paragraphs: a docstring's lines end where its source's do, help's where the terminal does."""

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand
from typing_extensions import override


class Filled(TyperCommand):
    """A command whose help is filled to the terminal's width, paragraph by paragraph."""

    @override
    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As the framework does, which breaks paragraphs after the first where the docstring does, too."""
        written = self.help
        self.help = filled(written) if written else written
        try:
            super().format_help(ctx, formatter)
        finally:
            self.help = written


def filled(text: str) -> str:
    """Each paragraph in one line."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def fill(app: typer.Typer) -> None:
    """Every command of it, and of its groups, shows its help so."""
    for command in _commands(app):
        command.cls = Filled


def _commands(app: typer.Typer) -> Iterator[Any]:
    yield from app.registered_commands
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _commands(group.typer_instance)
