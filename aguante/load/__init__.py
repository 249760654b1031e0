"""The runner's side of the load generator."""
