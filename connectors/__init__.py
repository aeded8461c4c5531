"""Know a tool: what it says, how it says it, and how to ask it gently. No database, no Kafka, no other tool."""
