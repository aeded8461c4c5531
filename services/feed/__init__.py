"""Run connections: schedule, page, publish, safe, cursor; and the webhook inbox."""
