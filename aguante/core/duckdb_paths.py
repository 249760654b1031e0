"""Paths for DuckDB, which reads ``*``, ``?`` and ``[...]`` in the name of a file as a pattern."""

import re
from pathlib import Path


def literal_path(path: Path | str) -> str:
    """The path with its special characters escaped, so that it matches only itself.

    Without this, a run below ``runs/z*`` would also read the rows of a run below ``runs/zz``.

    >>> literal_path("z*/[work]/requests.jsonl")
    'z[*]/[[]work]/requests.jsonl'
    """
    return re.sub(r"[*?[]", r"[\g<0>]", str(path))
