"""Size limits of source files and functions: `python -m tests.sizes` names what is too long."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 50
ROOMS = ("connectors", "pipelines", "schemas", "services", "tests", "benchmarks")


def too_long(path: Path) -> Iterator[str]:
    """One line of text for the file, and for each function in it, that is over its limit."""
    text = path.read_text("utf-8")
    lines = len(text.splitlines())
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines, at most {FILE_LINES}: split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES}: split it"


def main(top: Path = Path()) -> int:
    """Look through every room; 1 if anything is too long."""
    paths = sorted(path for room in ROOMS for path in (top / room).rglob("*.py") if "migrations" not in path.parts)
    found = [line for path in paths for line in too_long(path)]
    print("\n".join(found) if found else f"{len(paths)} files within {FILE_LINES} lines, functions in {FUNCTION_LINES}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
