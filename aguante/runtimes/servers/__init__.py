"""Finds the servers that a testbed needs besides PostgreSQL, and builds missing ones.

The order is the same for all: a configured path, ``PATH``, the project's cache, then a build of the version
pinned in ``tools/``. If all of these fail, one error lists every way to provide the server.
"""

from aguante.runtimes.servers.find_server import SearchPaths, find_server
from aguante.runtimes.servers.server_spec import SERVERS, ServerMissingError, ServerSpec

__all__ = ["SERVERS", "SearchPaths", "ServerMissingError", "ServerSpec", "find_server"]
