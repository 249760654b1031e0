"""Events, and what becomes of them: metrics, spans and log lines."""
