"""The compose runtime: the services in containers."""
