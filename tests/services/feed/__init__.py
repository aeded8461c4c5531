"""The feed: connections, pages on their way, readers, the inbox and its listener."""
