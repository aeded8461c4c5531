"""Bars of first reads."""

import io

from rich.console import Console

from services.cli.bars import bars, move


def test_no_bar_tells_more_than_there_is() -> None:
    paper = io.StringIO()
    with bars(Console(file=paper, width=100, force_terminal=True, color_system=None)) as progress:
        bar = progress.add_task("Jira", total=158, what="things read")
        move(progress, bar, 157, 158, what="things read")
        progress.refresh()
        move(progress, bar, 159, 158, what="things read")  # the company's day went on while it was read
        progress.refresh()
        move(progress, bar, 160, None, what="things read")
        progress.refresh()
    shown = paper.getvalue()
    assert "157/158" in shown
    assert "159/159" in shown
    assert "159/158" not in shown
    assert "160/?" in shown
