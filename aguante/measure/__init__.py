"""Rows in, a small Measures out. Nothing outside this package reads rows."""
