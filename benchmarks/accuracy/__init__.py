"""How often correlation is right: companies with known truth, told in the tools' raw payloads, and measured.

Shares no code with the connectors' mapping, with correlation or with the sandbox: it knows how the tools write and what
people do, not how the hub reads it.
"""
