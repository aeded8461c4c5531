"""Pipelines as HubSpot told them beside a record: labels of stages, and which of them close a deal or ticket."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from connectors.hubspot.reading import decimal_text, dicts_at, mapping_at, text_at
from schemas.artifacts import State


def named(pipelines: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Pipelines and their stages, id to what people call them."""
    there: dict[str, str] = {}
    for one in pipelines:
        label = text_at(one, "label") or text_at(one, "id") or ""
        there[f"pipeline {text_at(one, 'id')}"] = label
        for stage in dicts_at(one, "stages"):
            there[f"stage {text_at(stage, 'id')}"] = f"{text_at(stage, 'label')} of {label}"
    return there


class Pipelines:
    """The pipelines of one kind of record; stages by id, since records hold ids only."""

    def __init__(self, kind: str, around: dict[str, Any]) -> None:
        self._kind = kind
        self._pipelines = dicts_at(around, "pipelines")

    def label(self, pipeline_id: str | None) -> str | None:
        """A pipeline's name; its id when the pipeline is gone."""
        for pipeline in self._pipelines:
            if pipeline_id and text_at(pipeline, "id") == pipeline_id:
                return text_at(pipeline, "label") or pipeline_id
        return pipeline_id

    def status(self, stage_id: str | None, pipeline_id: str | None) -> dict[str, Any] | None:
        """Where the record stands, with the category its pipeline states; a deleted stage keeps its id as label."""
        if stage_id is None:
            return None
        stage = self._stage(stage_id, pipeline_id)
        category = self.category(stage_id, pipeline_id)
        return {
            "id": stage_id,
            "label": (stage and text_at(stage, "label")) or stage_id,
            "category": category.value if category else None,
            "pipeline": self.label(pipeline_id),
        }

    def category(self, stage_id: str | None, pipeline_id: str | None) -> State | None:
        """What the stage's pipeline says of it."""
        stage = self._stage(stage_id, pipeline_id)
        return self._category(mapping_at(stage, "metadata")) if stage else None

    def stage_label(self, stage_id: str | None, pipeline_id: str | None) -> str | None:
        """A stage's name; its id when the stage is gone."""
        stage = self._stage(stage_id, pipeline_id)
        return (stage and text_at(stage, "label")) or stage_id

    def _stage(self, stage_id: str | None, pipeline_id: str | None) -> dict[str, Any] | None:
        """The stage of that id: in the record's own pipeline, else in any (a record may have moved between them)."""
        own_first = sorted(self._pipelines, key=lambda each: text_at(each, "id") != pipeline_id)
        stages = (stage for pipeline in own_first for stage in dicts_at(pipeline, "stages"))
        return next((stage for stage in stages if stage_id and text_at(stage, "id") == stage_id), None)

    def _category(self, metadata: dict[str, Any]) -> State | None:
        """What a stage's metadata states: deals by `isClosed` and `probability`, tickets by `ticketState`."""
        if self._kind == "ticket":
            return {"OPEN": State.ACTIVE, "CLOSED": State.DONE}.get(text_at(metadata, "ticketState") or "")
        closed = text_at(metadata, "isClosed")
        probability = decimal_text(text_at(metadata, "probability"))
        if closed == "false":
            return State.ACTIVE
        if closed != "true" or probability is None:
            return None
        return State.CANCELLED if Decimal(probability) == 0 else State.DONE
