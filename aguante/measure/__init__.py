"""A run folder to Measures (``run.measure``): the only stage that reads rows.

This module imports nothing, so that importing a model or an error does not load DuckDB.
"""
