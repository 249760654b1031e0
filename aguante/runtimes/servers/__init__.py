"""Finds the servers that a testbed needs besides PostgreSQL, and builds those that are not there.

One order for all: a configured path, ``PATH``, the project's cache, then built once from the version
pinned in ``tools/``, else an error that names all the ways.
"""

from aguante.runtimes.servers.find_server import Places, find_server
from aguante.runtimes.servers.server_spec import SERVERS, ServerMissingError, ServerSpec

__all__ = ["SERVERS", "Places", "ServerMissingError", "ServerSpec", "find_server"]
