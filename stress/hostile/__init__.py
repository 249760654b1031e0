"""Hostile clients: requests made to break, played against a service, and what it must answer all the same."""
