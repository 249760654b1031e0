"""The type of the fixture that starts a service's application; a module of its own, since conftest is no name to import."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.test_utils import TestClient

Start = Callable[..., Awaitable[TestClient[web.Request, web.Application]]]
