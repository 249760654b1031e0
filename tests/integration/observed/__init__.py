"""A package, so that a fixture of its conftest ends with the last of its modules: one run serves them all."""
