"""How a testbed is started: natively, in containers, or attached to."""
