"""A service as a process: its settings, its port, its start and its end."""
