"""Features as people read them. They name no title, no person and no text: who may read them may not read those."""

from collections.abc import Iterable, Mapping

from pipelines.suggest.features import Features
from pipelines.suggest.model import CONTENT

SENTENCES: Mapping[str, str] = {
    "same title": "Their titles say the same",
    "common title": "Many others have this title too",
    "like titles": "Their titles have words in common",
    "title in text": "The text of one holds the title of the other",
    "quotes its title": "The text of one quotes the title of the other",
    "answer": "One is titled as an answer to the other",
    "same requester": "One person asked for both",
    "busy requester": "That person asks for many things at about that time",
    "requester takes part": "Who asked for one takes part in the other",
    "same company": "They come from one company or unit",
    "shared people": "The same people take part in both",
    "near in time": "They are near in time",
    "far apart": "They are more than 90 days apart",
    "forwards it": "One passes on a mail with the sender and the subject of the other",
    "forwards its time": "The mail that is passed on was sent when the other was",
    "forwards another": "One passes on a mail with another subject",
    "named in title": "The title of one names the other, where that does not join",
    "named in text": "The text of one names the other, where that does not join",
    "named in quoted text": "One names the other in quoted text",
    "names another": "One names something else",
    "same number": "Both hold a number that few others hold",
    "automatic": "One was written by a machine, or to a list",
    "other tools": "They come from different tools, and neither has a part from the other's",
    "one of them alone": "One of them stands alone",
    "two issues": "Both have an issue",
    "two deals": "Both have a deal",
    "two tickets": "Both have a ticket",
}
"""A sentence for each feature of `model.FEATURES`."""

WORTH_TELLING = 0.1
"""Log odds: what adds or takes less is not told."""


def reasons(features: Features, parts: Iterable[tuple[str, float]]) -> tuple[list[str], list[str]]:
    """Sentences for and against: first what the two say alike, then the weightiest; parts: as Model.parts gives."""
    content = [name for name in SENTENCES if name in CONTENT and features.get(name)]
    told = [(name, odds) for name, odds in parts if abs(odds) >= WORTH_TELLING and name not in content]
    speaks = [*content, *(name for name, odds in told if odds > 0)]
    return [SENTENCES[name] for name in speaks], [SENTENCES[name] for name, odds in told if odds < 0]
