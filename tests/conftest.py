"""What every kind of test may need: a missing part skips a test on a laptop, and fails it under CI."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip, or under CI fail: a part that is missing must never make a test pass unseen."""
    if os.environ.get("CI"):
        pytest.fail(f"under CI nothing may be missing: {what}")
    pytest.skip(what)
