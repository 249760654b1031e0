"""Load for the shop, open loop. Two ways in:

* alone: ``locust -f loadtests/locustfile.py --host http://127.0.0.1:5000 [--headless -t 30s]``; the options
  below (or their environment variables) say what load. One user makes all arrivals: ``-u`` changes nothing.
* as the runner's child: run as a program with ``AGUANTE_LOAD_PLAN`` set; see ``loadtests/child.py``.
"""

import math
import secrets
import sys
import time
from typing import Any

from locust import User, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser

from aguante.records import LoadPlan
from loadtests.check import findings, unreachable
from loadtests.child import EXIT_INVALID, EXIT_UNREACHABLE, main
from loadtests.session import LoadSession, allow_open_files

LEAD_S = 0.2
"""From the decision to start to the first arrival."""


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_options(parser: LocustArgumentParser) -> None:
    """Options on the command line, in the environment, and as fields in the web UI."""
    group = parser.add_argument_group("Open-loop load")
    for name, default, text in (
        ("rate-rps", 20.0, "Arrivals per second"),
        ("timeout-s", 7.0, "Limit of one request, seconds"),
        ("reserve-share", 0.75, "Share of POST /reserve; the rest is GET /events/{id}"),
    ):
        _add(group, name, default, text, float)
    _add(group, "load-profile", "mixed", "mixed or steady", str)
    _add(group, "arrivals", "poisson", "poisson or fixed", str)
    _add(group, "event-ids", "event-1", "Events to ask for, comma between", str)
    _add(group, "seed", 1, "Of every random draw", int)
    _add(group, "records", "", "JSONL file that receives one record a request; empty: none", str)


def _add(group: Any, name: str, default: object, text: str, kind: type) -> None:
    variable = "AGUANTE_" + name.replace("-", "_").upper()
    group.add_argument(f"--{name}", default=default, type=kind, env_var=variable, help=text)


def plan_from(environment: Environment) -> LoadPlan:
    """The plan that the command line, the environment or the web UI's form asks for; it never ends by itself."""
    options = environment.parsed_options
    assert options is not None  # noqa: S101 - Locust's command line always sets it
    return LoadPlan(
        base_url=environment.host or "",
        profile=options.load_profile,
        arrivals=options.arrivals,
        rate_rps=options.rate_rps,
        duration_s=math.inf,
        mix={"reserve": options.reserve_share, "read_event": 1 - options.reserve_share},
        event_ids=[event for event in options.event_ids.split(",") if event],
        seed=options.seed,
        timeout_s=options.timeout_s,
        run_id=f"locust-{secrets.token_hex(4)}",
        experiment="locust",
        phases=[],
        records_path=options.records,
    )


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def refuse_bad_options(environment: Environment, **_: Any) -> None:
    """Say everything that is wrong, and end a headless run, before a request is sent."""
    plan = plan_from(environment)
    wrong = findings(plan)
    why = "" if wrong else unreachable(plan.base_url)
    if not wrong and not why:
        return
    sys.stderr.write("load: " + "\n      ".join(wrong or [why]) + "\n")
    if environment.web_ui is None:
        raise SystemExit(EXIT_INVALID if wrong else EXIT_UNREACHABLE)


class Shopper(User):
    """The one user that makes all arrivals."""

    fixed_count = 1

    @task
    def play(self) -> None:
        """Play until Locust ends the test; a second user, or bad options, ends at once."""
        plan = plan_from(self.environment)
        if self.environment.runner is None or findings(plan):
            raise StopUser
        allow_open_files(plan.max_outstanding)
        session = LoadSession(plan, self.environment)
        self.environment.events.test_stopping.add_listener(lambda **_: session.stop())
        session.play(time.monotonic() + LEAD_S)
        raise StopUser


if __name__ == "__main__":
    sys.exit(main())
