"""The type of the fixture that starts an application; here, since two conftests cannot both be imported."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.test_utils import TestClient

Start = Callable[..., Awaitable[TestClient[web.Request, web.Application]]]
