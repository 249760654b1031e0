"""Validates a plan before anything runs."""

import math
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from aguante.load_protocol.rates import too_late, troubles
from aguante.load_protocol.records import LoadPlan
from loadtests.arrivals import ARRIVALS
from loadtests.operations import OPERATIONS, SOLD_OUT
from loadtests.profiles import PROFILES

MIX_TOLERANCE = 1e-6
REACH_TIMEOUT_S = 2.0


def findings(plan: LoadPlan) -> list[str]:
    """Every error of the plan, one line each: the field, what was found, and the fix."""
    return [*_numbers(plan), *_names(plan), *_shape(plan), *_mix(plan), *_address(plan)]


def _numbers(plan: LoadPlan) -> Iterator[str]:
    positive = {
        "rate_rps": plan.rate_rps,
        "duration_s": plan.duration_s,
        "timeout_s": plan.timeout_s,
        "max_outstanding": plan.max_outstanding,
    }
    for name, value in positive.items():
        if not value > 0 or math.isnan(value):
            yield f"{name}: found {value:g}; give a number above 0"
    if math.isinf(plan.rate_rps) or math.isinf(plan.timeout_s):
        yield "rate_rps, timeout_s: found infinity; give finite numbers"
    for phase, start_s, end_s in plan.phases:
        if not 0 <= start_s < end_s:
            yield f"phases: {phase} is [{start_s:g}, {end_s:g}); its end must lie after its start, from 0 on"


def _names(plan: LoadPlan) -> Iterator[str]:
    if plan.profile not in PROFILES:
        yield f"profile: found {plan.profile!r}; one of {', '.join(PROFILES)}"
    if plan.arrivals not in ARRIVALS:
        yield f"arrivals: found {plan.arrivals!r}; one of {', '.join(ARRIVALS)}"
    if not plan.event_ids or not all(plan.event_ids):
        yield f"event_ids: found {plan.event_ids}; give at least one, none empty"
    if not plan.run_id:
        yield "run_id: found nothing; give a new one, since idempotency keys contain it"


def _shape(plan: LoadPlan) -> Iterator[str]:
    late = too_late(plan.profile, plan.shape, plan.duration_s)
    for each in (*troubles(plan.profile, plan.shape, plan.duration_s), *filter(None, [late])):
        yield f"{each.word}: found {each.found}, expected {each.expected}; {each.fix}"
    if not 0 <= plan.worker < plan.workers:
        yield f"worker: found {plan.worker} of {plan.workers}; count from 0 to one less than workers"
    if plan.users < 0:
        yield f"users: found {plan.users}; give 0 for an open loop, or the number of users who wait for responses"


def _mix(plan: LoadPlan) -> Iterator[str]:
    if plan.mix.get(SOLD_OUT) and not plan.sold_out_id:
        yield f"mix: {SOLD_OUT} needs an event without seats; give its id as sold_out_id"
    for operation, share in plan.mix.items():
        if operation not in OPERATIONS:
            yield f"mix: found operation {operation!r}; one of {', '.join(OPERATIONS)}"
        if not 0 <= share <= 1:
            yield f"mix: {operation} has share {share:g}; give 0 to 1"
    total = sum(plan.mix.values())
    if not abs(total - 1) <= MIX_TOLERANCE:
        yield f"mix: the shares sum to {total:g}; they must sum to 1"


def _address(plan: LoadPlan) -> Iterator[str]:
    message = f"base_url: found {plan.base_url!r}; give http://host:port"
    try:
        url = urlsplit(plan.base_url)
        valid = url.scheme == "http" and bool(url.hostname) and url.port != 0
    except ValueError:
        valid = False
    if not valid:
        yield message


def unreachable(base_url: str) -> str:
    """Why the gateway's address accepts no connection, or an empty text. Sends no request."""
    url = urlsplit(base_url)
    address = (url.hostname or "", url.port or 80)
    try:
        socket.create_connection(address, timeout=REACH_TIMEOUT_S).close()
    except OSError as failure:
        return f"nothing answers at {base_url} ({failure}); start the testbed with `aguante up`, or fix the address"
    return ""
