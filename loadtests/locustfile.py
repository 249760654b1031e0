"""Load for the shop. Three ways in:

* alone: ``locust -f loadtests/locustfile.py --host http://127.0.0.1:8080 [--headless -t 30s]``; the options of
  ``options.py`` (or their environment variables) say what load. Its one user looks on: ``-u`` changes nothing.
  ``--host`` is the link client-gateway: 8080 in containers, the first address that ``aguante up`` prints.
* by several: the same with ``--master``, and ``locust -f loadtests/locustfile.py --worker`` on each machine
  that shall help; the workers share one schedule (``crew.py``).
* as the runner's child: run as a program with ``AGUANTE_LOAD_PLAN`` set; see ``child.py``.
"""

import sys
from typing import Any

import gevent
from locust import User, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests import plain
from loadtests.child import main
from loadtests.hand import Hand
from loadtests.options import add_options


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def offer_options(parser: LocustArgumentParser) -> None:
    """Options on the command line, in the environment, and as fields in the web UI."""
    add_options(parser)


@events.init.add_listener  # type: ignore[untyped-decorator]
def join_the_crew(environment: Environment, **_: Any) -> None:
    """A worker listens to its master from the beginning."""
    # gevent's clock stands still while modules are imported, and -t would count from before that
    gevent.get_hub().loop.update_now()
    if isinstance(environment.runner, WorkerRunner):
        Hand(environment.runner)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def begin(environment: Environment, **_: Any) -> None:
    """Say everything that is wrong, before a request is sent; a master then leads its workers."""
    if not isinstance(environment.runner, WorkerRunner):
        plain.begin(environment)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def end(**_: Any) -> None:
    """Whoever interrupts Locust gets the account of what was sent until then, and its exit code."""
    plain.end()


class Shopper(User):
    """Looks on while all arrivals are made beside it (``plain.py``): Locust wants somebody to start."""

    fixed_count = 1

    @task
    def look_on(self) -> None:
        """Until Locust ends the test."""
        gevent.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
