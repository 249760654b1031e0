"""What tests of services share and cannot import from a conftest, of which there are two."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.test_utils import TestClient

Start = Callable[..., Awaitable[TestClient[web.Request, web.Application]]]
"""The type of the fixture that starts an application."""
PATIENT_S = 20.0
"""Of whatever a test does not want to time out: a busy machine may stand still for a second or two."""
