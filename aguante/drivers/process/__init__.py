"""Faults on processes, injected by signals."""
