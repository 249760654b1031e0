"""The locustfile for load on the shop. It can be used in three ways:

* alone: ``locust -f loadtests/locustfile.py --host http://127.0.0.1:8080 [--headless -t 30s]``; the options of
  ``options.py`` (or their environment variables) define the load. Its only user is idle: ``-u`` has no effect.
  ``--host`` is the link client-gateway: 8080 in containers, the first address that ``aguante up`` prints.
* on several machines: the same with ``--master``, and ``locust -f loadtests/locustfile.py --worker`` on each
  machine; the workers share one schedule (``master.py``).
* as the runner's child: run as a program with ``AGUANTE_LOAD_PLAN`` set; see ``child.py``.
"""

import sys
from typing import Any

import gevent
from locust import User, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests import plain_locust
from loadtests.child import main
from loadtests.options import add_options
from loadtests.worker import Worker


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def register_options(parser: LocustArgumentParser) -> None:
    """Add options to the command line, the environment and the web UI."""
    add_options(parser)


@events.init.add_listener  # type: ignore[untyped-decorator]
def listen_to_the_master(environment: Environment, **_: Any) -> None:
    """Register a worker's messages before its master sends any."""
    # gevent's cached clock does not advance during imports, and -t would count from before them
    gevent.get_hub().loop.update_now()
    if isinstance(environment.runner, WorkerRunner):
        Worker(environment.runner)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def begin(environment: Environment, **_: Any) -> None:
    """Validate the options, then play the load; a worker waits for its master."""
    if not isinstance(environment.runner, WorkerRunner):
        plain_locust.begin(environment)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def end(**_: Any) -> None:
    """Report what was sent, also after an interrupt, and set the exit code."""
    plain_locust.end()


class Shopper(User):
    """Does nothing: Locust needs a user to start, but ``plain_locust.py`` makes all arrivals."""

    fixed_count = 1

    @task
    def wait(self) -> None:
        """Wait until Locust ends the test."""
        gevent.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
