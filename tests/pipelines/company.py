"""Artifacts of a small company, as correlation sees them."""

from collections.abc import Iterable

from pipelines.correlate import correlate
from pipelines.correlate.rules import ConnectionRules, Rules
from schemas.artifacts import Evidence, Reference
from schemas.links import Component, Group, Groups, Node

LINK_KINDS = {"implements": "joins", "is blocked by": "depends on", "blocks": "depends on", "relates to": "mentions"}

RULES = Rules(
    connections={
        "jira-a": ConnectionRules(
            "jira",
            frozenset({"PAY", "OPS"}),
            frozenset({"acme.atlassian.net"}),
            LINK_KINDS,  # type: ignore[arg-type]
        ),
        "crm": ConnectionRules("hubspot", scopes=frozenset({"hubspot:4711"})),
        "box": ConnectionRules("mailbox"),
    }
)


def at(day: int, hour: int = 9) -> str:
    return f"2026-05-{day:02}T{hour:02}:00:00.000000Z"


def link(kind: str, value: str, relation: str, field: str = "", scope: str = "") -> Reference:
    return Reference(kind, scope, value, Evidence.EXPLICIT, relation, field)


def title(key: str, field: str = "subject", scope: str = "") -> Reference:
    return Reference("jira.key", scope, key, Evidence.TITLE, field=field)


def written(*keys: str, field: str = "body", scope: str = "") -> tuple[Reference, ...]:
    return tuple(Reference("jira.key", scope, key, Evidence.WRITTEN, field=field) for key in keys)


def quoted(key: str) -> Reference:
    return Reference("jira.key", "", key, Evidence.QUOTED, field="body")


def reply(name: str, field: str = "In-Reply-To") -> Reference:
    return link("message-id", f"{name}@x", "reply", field)


def issue(key: str, *references: Reference, day: int | None = 1, level: int = 0, **more: object) -> Node:
    connection = str(more.pop("connection", "jira-a"))
    itself = Reference("jira.key", connection, key, Evidence.IDENTITY, "is")
    return Node(
        artifact=f"{connection}/issue/{key}",
        connection=connection,
        connector="jira",
        kind="issue",
        type={1: "Epic", 0: "Story", -1: "Sub-task"}.get(level, "Initiative"),
        type_level=level,
        created_at=at(day) if day else None,
        natural_key=key,
        references=(itself, *references),
        **more,  # type: ignore[arg-type]
    )


def mail(name: str, *references: Reference, day: int | None = 3, subject: str = "", kind: str = "person") -> Node:
    itself = Reference("message-id", "mail", f"{name}@x", Evidence.IDENTITY, "is")
    return Node(
        artifact=f"mail/mail/{name}",
        connection="box",
        connector="mailbox",
        kind="mail",
        type=kind,
        opens=kind == "person",
        created_at=at(day) if day else None,
        natural_key=f"{name}@x",
        title=subject,
        references=(itself, *references),
    )


def record(
    kind: str, number: str, *references: Reference, day: int = 2, opens: bool | None = None, **more: object
) -> Node:
    """A deal, ticket or note of the CRM."""
    itself = Reference(f"hubspot.{kind}", "crm", number, Evidence.IDENTITY, "is")
    return Node(
        artifact=f"crm/{kind}/{number}",
        connection="crm",
        connector="hubspot",
        kind=kind,
        type="default",
        opens=kind in {"deal", "ticket"} if opens is None else opens,
        created_at=at(day),
        natural_key=number,
        references=(itself, *references),
        **more,  # type: ignore[arg-type]
    )


def grouped(*nodes: Node, rules: Rules = RULES, counts: dict[str, int] | None = None) -> Groups:
    return correlate(Component(tuple(nodes), counts or {}), rules)


def names(group: Group | Iterable[str]) -> set[str]:
    """The last parts of artifact ids: PAY-12, m1."""
    artifacts = group.artifacts if isinstance(group, Group) else group
    return {artifact.rpartition("/")[2] for artifact in artifacts}


def requests(groups: Groups) -> set[frozenset[str]]:
    return {frozenset(names(group)) for group in groups.requests}


def of(groups: Groups, node: Node) -> Group:
    (found,) = [group for group in groups.requests if node.artifact in group.artifacts]
    return found


def sets(*members: str) -> set[frozenset[str]]:
    """sets("PAY-1 m1", "m2"): the requests expected."""
    return {frozenset(line.split()) for line in members}
