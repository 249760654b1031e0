"""Faults on links, injected through Toxiproxy."""
