"""Fault drivers: each knows one tool and offers the same five steps."""
