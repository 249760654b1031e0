"""The options of plain Locust: on its command line, in the environment, and in its web UI."""

import math
import secrets
from typing import Any

from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.util.timespan import parse_timespan

from aguante.load_protocol.rates import WORDS, Shape
from aguante.load_protocol.records import LoadPlan
from loadtests.operations import OPERATIONS, mix_of
from loadtests.profiles import PROFILES

DEFAULTS = Shape(to_rps=100.0, steps=5, at_s=10.0, for_s=10.0, racers=50)
"""Defaults of the profiles' parameters; each profile uses those that it knows."""


def add_options(parser: LocustArgumentParser) -> None:
    """Add the options; each has an environment variable, such as ``AGUANTE_RATE_RPS`` for ``--rate-rps``."""
    group = parser.add_argument_group("Load by a schedule")
    _add(group, "load-profile", "mixed", f"One of {', '.join(PROFILES)}", str)
    _add(group, "rate-rps", 20.0, "Arrivals per second (ramp, step, spike: at the start)", float)
    _add(
        group,
        "to-rps",
        DEFAULTS.to_rps,
        "Arrivals per second at the end (ramp, step) or at the peak (spike)",
        float,
    )
    _add(group, "steps", DEFAULTS.steps, "step: number of levels", int)
    _add(group, "at-s", DEFAULTS.at_s, "spike: its start, seconds", float)
    _add(group, "for-s", DEFAULTS.for_s, "spike: its length, seconds", float)
    _add(group, "racers", DEFAULTS.racers, "race: requests that start at the same instant", int)
    _add(group, "arrivals", "poisson", "poisson or fixed", str)
    _add(group, "mix", "reserve=0.75,read_event=0.25", f"Shares of {', '.join(OPERATIONS)}", str)
    _add(group, "event-ids", "event-1", "Events to order and to read, separated by commas", str)
    _add(group, "sold-out-id", "", "An event without seats, for reserve_sold_out", str)
    _add(group, "timeout-s", 7.0, "Timeout of one request, seconds", float)
    _add(
        group,
        "max-outstanding",
        1000,
        "Pending requests per worker, beyond which arrivals are shed",
        int,
    )
    _add(group, "exit-code-on-shed", 1, "Exit code when arrivals were shed; 0: ignore them", int)
    _add(group, "closed-loop-users", 0, "Number of users of a closed loop; 0: open loop", int)
    _add(group, "seed", 1, "Seed of every random choice", int)
    _add(group, "records", "", "JSONL file for one record per request; empty: none", str)


def _add(group: Any, name: str, default: object, text: str, kind: type) -> None:
    variable = "AGUANTE_" + name.replace("-", "_").upper()
    group.add_argument(f"--{name}", default=default, type=kind, env_var=variable, help=text)


def plan_from(environment: Environment, workers: int = 1) -> LoadPlan:
    """The plan from the command line, the environment or the web UI; without a run time it never ends."""
    options = environment.parsed_options
    assert options is not None  # noqa: S101 - Locust's command line always sets it
    known = WORDS.get(options.load_profile, ())
    return LoadPlan(
        base_url=environment.host or "",
        profile=options.load_profile,
        arrivals=options.arrivals,
        rate_rps=options.rate_rps,
        shape=Shape(**{word: getattr(options, word) for word in known}),
        duration_s=_seconds(options.run_time),
        mix=mix_of(options.mix),
        event_ids=[event for event in options.event_ids.split(",") if event],
        sold_out_id=options.sold_out_id,
        seed=options.seed,
        timeout_s=options.timeout_s,
        run_id=f"locust-{secrets.token_hex(4)}",
        experiment="locust",
        phases=[],
        records_path=options.records,
        max_outstanding=options.max_outstanding,
        users=options.closed_loop_users,
        workers=workers,
    )


def _seconds(run_time: object) -> float:
    """Locust's run time in seconds; its command line passes seconds, its web UI text."""
    if not run_time:
        return math.inf
    return float(parse_timespan(str(run_time)))
