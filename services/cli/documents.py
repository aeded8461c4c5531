"""`throughline topics`, `openapi` and `asyncapi`: the hub's interfaces, as documents. None needs a running hub."""

from typing import TYPE_CHECKING, Any, get_args

import orjson
from rich.console import Console
from rich.table import Table

from services.broker import BrokerSettings, rights, topics
from services.broker.asyncapi import asyncapi_document
from services.broker.topics import Role
from services.cli.narrow import by_width
from services.cli.terminal import write_line

if TYPE_CHECKING:
    from services.cli.installation import Installation

_ROLES = {
    "feed": "reads the tools, publishes what they say",
    "ingest": "understands what was published",
    "publish": "tells changed requests",
    "setup": "makes topics and compares their settings; only at start, and only where topics are not made by hand",
}


def broker_settings(made: "Installation") -> BrokerSettings:
    """The settings as they are; the embedded broker's address is known only while it runs."""
    known: dict[str, Any] = {"bootstrap": "127.0.0.1:0", "embedded": True} if made.embedded else {}
    return BrokerSettings(**known, **made.settings.kafka())


def print_topics(made: "Installation", screen: Console, *, for_programs: bool) -> None:
    """Topics with their settings, and the ACLs that each role's user needs."""
    settings = broker_settings(made)
    wanted = topics(settings, made.catalogue)
    allowed = {role: rights(settings, role, made.catalogue) for role in get_args(Role)}
    if for_programs:
        told = {
            "topics": [{"name": one.name, "partitions": one.partitions, "replication": one.replication,
                        "configs": one.configs} for one in wanted],
            "rights": {role: [{"kind": one.kind, "name": one.name, "operation": one.operation} for one in each]
                       for role, each in allowed.items()},
        }  # fmt: skip
        write_line(orjson.dumps(told).decode())
        return
    if settings.embedded:
        screen.print("The embedded broker makes its topics itself; this is for a Kafka of your own.\n", markup=False)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("topic", "partitions", "replicas", "settings"):
        table.add_column(title, no_wrap=title != "settings")
    for topic in wanted:
        configs = ", ".join(f"{name}={value}" for name, value in topic.configs.items())
        table.add_row(topic.name, str(topic.partitions), str(topic.replication or "3, or all brokers"), configs)
    screen.print(by_width(table))
    for role, each in allowed.items():
        screen.print(f"\n{role}: {_ROLES[role]}", markup=False)
        screen.print(_rights(each))


def _rights(each: list[Any]) -> Table:
    operations: dict[tuple[str, str], list[str]] = {}
    for one in each:
        operations.setdefault((one.kind, one.name), []).append(one.operation)
    table = Table.grid(padding=(0, 2, 0, 0))
    for (kind, name), names in operations.items():
        table.add_row(f"  {kind}", name, ", ".join(names))
    return table


def print_asyncapi(made: "Installation") -> None:
    """The topics as AsyncAPI 3.0."""
    _print(asyncapi_document(broker_settings(made), made.catalogue))


def print_openapi() -> None:
    """The lookup API as OpenAPI 3.1."""
    from services.admin.routers import ROUTERS
    from services.query.app import openapi_document

    _print(openapi_document(ROUTERS))


def _print(document: dict[str, Any]) -> None:
    write_line(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
