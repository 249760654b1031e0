"""The saga of a reservation, its durable log, and its recovery."""
