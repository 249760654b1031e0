"""The attach runtime: a testbed that is already running."""
