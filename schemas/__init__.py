"""Words that all rooms share. Pydantic and the standard library; no input or output."""
