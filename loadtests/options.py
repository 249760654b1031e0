"""What plain Locust is asked for: options on its command line, in the environment, and in its web UI."""

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
"""Of the words of profiles; each profile takes those that it knows."""


def add_options(parser: LocustArgumentParser) -> None:
    """Add ours; each has an environment variable, ``--rate-rps`` is ``AGUANTE_RATE_RPS``."""
    group = parser.add_argument_group("Load by a schedule")
    _add(group, "load-profile", "mixed", f"One of {', '.join(PROFILES)}", str)
    _add(group, "rate-rps", 20.0, "Arrivals per second (ramp, step, spike: at the start)", float)
    _add(group, "to-rps", DEFAULTS.to_rps, "ramp, step: at the end; spike: at its height", float)
    _add(group, "steps", DEFAULTS.steps, "step: levels", int)
    _add(group, "at-s", DEFAULTS.at_s, "spike: when it begins, seconds", float)
    _add(group, "for-s", DEFAULTS.for_s, "spike: how long it lasts, seconds", float)
    _add(group, "racers", DEFAULTS.racers, "race: requests that start at one instant", int)
    _add(group, "arrivals", "poisson", "poisson or fixed", str)
    _add(group, "mix", "reserve=0.75,read_event=0.25", f"Shares of {', '.join(OPERATIONS)}", str)
    _add(group, "event-ids", "event-1", "Events to ask for, comma between", str)
    _add(group, "sold-out-id", "", "An event without seats, for reserve_sold_out", str)
    _add(group, "timeout-s", 7.0, "Limit of one request, seconds", float)
    _add(
        group,
        "max-outstanding",
        1000,
        "Unfinished requests (of each worker), beyond which arrivals are shed",
        int,
    )
    _add(
        group, "exit-code-on-shed", 1, "Exit code when arrivals were shed; 0: as if none were", int
    )
    _add(group, "closed-loop-users", 0, "A closed loop of so many users instead; 0: open", int)
    _add(group, "seed", 1, "Of every random draw", int)
    _add(group, "records", "", "JSONL file that receives one record a request; empty: none", str)


def _add(group: Any, name: str, default: object, text: str, kind: type) -> None:
    variable = "AGUANTE_" + name.replace("-", "_").upper()
    group.add_argument(f"--{name}", default=default, type=kind, env_var=variable, help=text)


def plan_from(environment: Environment, workers: int = 1) -> LoadPlan:
    """The plan that the command line, the environment or the web UI's form asks for.

    It ends with Locust's run time, or never.
    """
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
    """Locust's run time: seconds once its command line has read it, text as its web UI sends it."""
    if not run_time:
        return math.inf
    return float(parse_timespan(str(run_time)))
