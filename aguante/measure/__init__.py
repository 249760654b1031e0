"""A run folder to Measures (``run.measure``): the only stage that reads rows.

Nothing is imported here: who wants an error's name or a model need not wait for DuckDB.
"""
