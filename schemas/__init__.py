"""The words the rooms share: Pydantic models, no I/O."""
