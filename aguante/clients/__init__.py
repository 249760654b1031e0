"""Clients of other programs: Docker, Toxiproxy, Prometheus, OTLP."""
