"""Fold a request's artifacts, activities and links into its lifecycle record. Pure.

folding.py puts the record together; members.py is what it is told, stages.py which stage a status means, histories.py
and spans.py who stood where from when to when, stays.py what became of each stage, summary.py the words for it.
"""

from pipelines.lifecycle.folding import as_of, etag, fold, to_text

__all__ = ["as_of", "etag", "fold", "to_text"]
