"""Fixtures for the pure stages of the runner."""

import pytest
from shop import read_shop

from aguante.testbed import TestbedSpec


@pytest.fixture(scope="session")
def shop() -> TestbedSpec:
    """The TestbedSpec of our own system."""
    return read_shop()
