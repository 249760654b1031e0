"""The native runtime: the services as plain processes."""
