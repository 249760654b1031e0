"""Hostile clients: plays malformed requests against a service and judges every response."""
