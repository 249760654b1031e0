"""What the services share: one file per resilience pattern, and the edges (HTTP, database, telemetry).

The kit imports no service. Read a pattern's file to know it whole: what it does, what it raises, what it emits.
"""
