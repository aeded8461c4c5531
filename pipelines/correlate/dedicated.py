"""What a field of its own names, where the rules of its connection say so. Pure.

Mapping keeps what short custom fields hold (see schemas.artifacts.Evidence.FIELD) without knowing what it means: a
number may be a deal, a ticket or a sum. Only a rule gives it a kind.
"""

from dataclasses import replace

from pipelines.correlate.rules import DEDICATED, Rules
from pipelines.references import normal, understood
from schemas.artifacts import Evidence, Reference
from schemas.links import Node


def counted(node: Node, rules: Rules) -> Node:
    """The artifact with what its fields name as the rules say; candidates that no rule counts are left out."""
    if all(one.evidence is not Evidence.FIELD for one in node.references):
        return node
    meant = (meaning(one, node.connection, rules) for one in node.references)
    return replace(node, references=tuple(one for one in meant if one))


def meaning(reference: Reference, connection: str, rules: Rules) -> Reference | None:
    """What a reference of an artifact of a connection names; None for a candidate that no rule counts.

    Any reference but a candidate is as it is.
    """
    if reference.evidence is not Evidence.FIELD:
        return reference
    fields = rules.of(connection).reference_fields
    told = fields.get(reference.field.lower()) or fields.get(reference.relation.lower())
    if not told:
        return None
    kind, _, scope = told.partition("@")
    value = normal(kind, reference.value)
    shown = understood(replace(reference, kind="url"))
    if kind != "url" and shown.kind == kind:  # the address of the record
        value, scope = shown.value, scope or shown.scope
    if value is None:
        return None
    return Reference(kind, scope, value, Evidence.TITLE, DEDICATED, reference.relation, since=reference.since)
