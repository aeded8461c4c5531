"""Tables in the papers that are made from the code: `python -m tests.docs.generated` writes them anew.

A table stands between `<!-- made: NAME -->` and `<!-- end -->`.
"""

import re
from collections.abc import Callable
from pathlib import Path

from connectors.catalogue import catalogue
from services.broker import BrokerSettings, rights, topics
from services.broker.topics import Role
from services.settings import settings_table
from services.telemetry import Metrics

TOP = Path(__file__).parents[2]
OPERATIONS = TOP / "docs" / "operations.md"
_PLACE = re.compile(r"(<!-- made: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_ROLES: tuple[Role, ...] = ("setup", "feed", "ingest", "publish")


def _broker() -> BrokerSettings:
    return BrokerSettings(bootstrap="kafka:9092")


def topics_table() -> str:
    """Every topic with what it must be like."""
    lines = ["| topic | partitions | settings |", "|---|---|---|"]
    for topic in topics(_broker(), catalogue()):
        configs = ", ".join(f"`{name}={value}`" for name, value in sorted(topic.configs.items()))
        lines.append(f"| `{topic.name}` | {topic.partitions} | {configs} |")
    return "\n".join(lines) + "\n"


def rights_table() -> str:
    """The ACLs of each role's Kafka user."""
    lines = ["| role | on | operations |", "|---|---|---|"]
    for role in _ROLES:
        operations: dict[str, list[str]] = {}
        for right in rights(_broker(), role, catalogue()):
            operations.setdefault(f"{right.kind} `{right.name}`", []).append(right.operation)
        lines += [f"| {role} | {place} | {', '.join(sorted(names))} |" for place, names in operations.items()]
    return "\n".join(lines) + "\n"


def metrics_table() -> str:
    """The hub's own measures."""
    lines = ["| measure | kind | what it is |", "|---|---|---|"]
    for metric in Metrics().registry.collect():
        name = metric.name + ("_total" if metric.type == "counter" else "")
        lines.append(f"| `{name}` | {metric.type} | {metric.documentation} |")
    return "\n".join(lines) + "\n"


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "topics": topics_table,
    "rights": rights_table,
    "metrics": metrics_table,
}


def renewed(text: str) -> str:
    """The page with each table as the code makes it now. Raises KeyError for a table that nobody makes."""
    return _PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], text)


def named(text: str) -> set[str]:
    """The tables that a page holds."""
    return {found[1] for found in _PLACE.findall(text)}


if __name__ == "__main__":
    OPERATIONS.write_text(renewed(OPERATIONS.read_text("utf-8")), "utf-8")
