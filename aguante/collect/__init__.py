"""Evidence on its way into the run folder: traces, metrics, tables, logs, and whether the system came to rest."""
