"""Events, and their rendering as metrics, spans and log lines."""
