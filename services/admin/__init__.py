"""What an admin sets up, watches and mends, and who may: accounts, connections, rules, dead letters, the audit."""
