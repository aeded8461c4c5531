"""Know a tool: read its events, and nothing of databases or Kafka."""
