"""Suggestions: how likely two things that no evidence joins belong together, over named features. Pure."""
