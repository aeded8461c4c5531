"""Why two artifacts are held to belong together: one plain sentence for each link, built from data.

Sentences name artifacts by their keys and days, never by titles: who may read a link may not read every title.
"""

from collections.abc import Mapping

from pipelines.correlate.edges import Edge
from pipelines.correlate.rules import DEDICATED
from schemas.artifacts import Evidence
from schemas.canonical import instant, parse_instant
from schemas.links import Node

DATED = {"mail": "mail", "email": "e-mail", "note": "note", "call": "call", "meeting": "meeting"}
"""Kinds of things that people call by their day."""
_PLACES = {
    "subject": "in its subject",
    "title": "in its title",
    "summary": "in its title",
    "name": "in its name",
    "description": "in its description",
    "body": "in its text",
    "text": "in its text",
}
_KINDS = {"hubspot.deal": "deal", "hubspot.ticket": "ticket", "hubspot.note": "note", "jira.issue": "issue"}

_STATED = frozenset({Evidence.DECISION, Evidence.EXPLICIT})

RELATIONS = {
    "reply": ("reply header", "{a} replies to {b}"),
    "bounce": ("bounce", "{a} says that {b} could not be delivered"),
    "forward": ("forward", "{a} forwards {b}"),
    "parent": ("parent", "{a} is part of {b}"),
    "sub-task": ("parent", "{b} is part of {a}"),
    "epic": ("epic", "{a} belongs to the epic {b}"),
    "association": ("association", "{a} is associated with {b}"),
    "remote link": ("remote link", "{a} links to {b}"),
    "merged into": ("merge", "{a} was merged into {b}"),
    "is": ("same identity", "{a} and {b} are known as the same {value}"),
    "decided to belong to": ("decision", "{by} decided on {on} that {a} and {b} belong together (decision {number})"),
}
"""For each explicit relation the name of its rule, and the sentence. Others are verbs: `implements`."""


def rule(edge: Edge) -> str:
    """The name of the rule by which an edge counts."""
    if edge.reference.kind == "request":
        return "request id"
    if edge.strength in _STATED:
        return RELATIONS.get(edge.reference.relation, ("link type", ""))[0]
    if edge.reference.relation == DEDICATED:
        return DEDICATED
    return {Evidence.TITLE: "named in title", Evidence.WRITTEN: "named in text"}.get(edge.strength, "named in quote")


def why(edge: Edge, nodes: Mapping[str, Node], subjects: Mapping[str, str]) -> str:
    """The sentence for an edge. subjects: for a mail, what it names in its subject."""
    reference = edge.reference
    a, b = called(edge.source, nodes), called(edge.target, nodes)
    if edge.strength in _STATED and reference.kind != "request":
        # What a tool calls a relation may hold braces: it is filled in, and is no form itself.
        _, form = RELATIONS.get(reference.relation, ("", "{a} {relation} {b}"))
        if reference.relation == "reply" and edge.target in subjects:
            b += f", which names {subjects[edge.target]} in its subject"
        relation = reference.relation or "links to"
        sentence = form.format(a=a, b=b, relation=relation, value=_value_word(reference.kind), **_decided(edge))
    else:
        sentence = f"{a} names {thing(edge, nodes)} {_place(edge)}"
    if edge.kept:
        sentence += f", but {edge.kept}"
    return sentence[:1].upper() + sentence[1:]


def _decided(edge: Edge) -> dict[str, object]:
    one = edge.decision
    return {"by": one.by, "on": day(instant(one.at)), "number": one.number} if one else {}


def thing(edge: Edge, nodes: Mapping[str, Node]) -> str:
    """What an edge names, in the words of the text: PAY-12, a deal, the mail of a day."""
    reference, target = edge.reference, nodes.get(edge.target)
    if reference.kind == "jira.key":
        moved = target is not None and target.natural_key not in {None, reference.value}
        return f"{reference.value} (now {called(edge.target, nodes)})" if moved else reference.value
    if reference.kind == "request":
        return f"the request id {reference.value}" + (f" of {called(edge.target, nodes)}" if target else "")
    return called(edge.target, nodes)


def called(end: str, nodes: Mapping[str, Node]) -> str:
    """What people call an artifact, or a thing that was not read."""
    node = nodes.get(end)
    if node is None:
        return _unread(end)
    if node.kind in DATED and not node.created_at:
        return f"a {node.kind} without a date"
    return named(node.kind, node.natural_key or node.artifact.rpartition("/")[2], node.created_at)


def named(kind: str, key: str, created_at: str | None) -> str:
    """What people call a thing: an issue by its key, a mail by its day, a deal by its number."""
    if kind in DATED and created_at:
        return f"the {DATED[kind]} of {day(created_at)}"
    return key if kind == "issue" else f"the {kind} {key}"


def _unread(end: str) -> str:
    if not end.startswith("unread "):
        kind, _, native = end.partition("/")[2].partition("/")
        return f"the {kind} {native}"
    kind, _, value = end.split(" ", 2)[2].partition("|")
    if kind == "message-id":
        return "a mail that was not read"
    return f"the {_KINDS[kind]} {value}" if kind in _KINDS else value


def day(created_at: str) -> str:
    """An instant's day in UTC: 3 May 2026."""
    at = parse_instant(created_at)
    month = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ][at.month - 1]
    return f"{at.day} {month} {at.year}"


def _place(edge: Edge) -> str:
    name = edge.reference.field
    if edge.reference.relation == DEDICATED:
        return f"in its field {name}"
    if name.startswith("comment"):
        return "in a comment"
    if edge.strength is Evidence.QUOTED:
        return "in quoted text"
    return _PLACES.get(name.lower()) or (f"in its field {name}" if name else "in its text")


def _value_word(kind: str) -> str:
    return {"message-id": "Message-ID", "url": "address", "jira.key": "key"}.get(kind, "id")
