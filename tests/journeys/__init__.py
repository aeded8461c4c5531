"""What the papers say, done from an empty folder."""
