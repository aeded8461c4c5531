"""Which artifacts form which request, and why. Pure.

rules.py is the configuration, meaning.py what a reference may mean, evidence.py what it counts for, parts.py how edges
become requests, explain.py the sentences, grouping.py the whole.
"""

from pipelines.correlate.grouping import correlate

__all__ = ["correlate"]
