"""What every service is built of: resilience patterns, HTTP, database, telemetry, policy, process.

The kit imports no service and nothing of the shop. Its folders import one way, from the top down: `process`, `http`,
`database`, `patterns`, `telemetry`, `policy`, `failures`; a test holds them to it. Two things in it are the shop's all
the same, because problem bodies, spans and logs carry them: the closed list of mechanisms, and `reservation_id`.
"""
