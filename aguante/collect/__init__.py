"""Gathers evidence into the run folder: traces, metrics, database tables, Prometheus samples, settling."""
