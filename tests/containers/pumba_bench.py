"""Experiments with Pumba on a running stack, and every trace that Pumba could leave."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import psutil
from stack_harness import Stack

from aguante.clients.toxiproxy_client import ToxiproxyClient
from aguante.drivers.pumba.pumba_cli import TOKEN_LABEL, TOKEN_VARIABLE
from aguante.drivers.pumba.pumba_helpers import SKIP_LABEL
from aguante.testbed.testbed_spec import PumbaSpec

SETTINGS = PumbaSpec().with_overrides_from(os.environ)
ON_PAYMENTS = "link: reservations-payments"


class Case(NamedTuple):
    """One fault, and its effect on the callers."""

    command: str
    """With its options, as in an experiment."""
    felt: str
    """A rate in the fault phase."""
    service: str = "payments"
    anew: bool = False
    """Whether its undo, or the fault itself, starts the container again."""
    cpu_s: float = 0.0
    """Of processor, in a run: where its control group used more, a busy machine may hide it from the callers.

    Usual are 0.9 s; with this stress, on a machine that was busy with other things, 2 s.
    """


CASES = {
    "stop": Case("stop, grace_s: 2", f"status: 503, {ON_PAYMENTS}, min: 0.1", anew=True),
    "pause": Case("pause", f"status: 5xx, {ON_PAYMENTS}, min: 0.1"),
    "restart": Case("restart, grace_s: 2", "status: 200, min: 0.1", anew=True),
    "stress": Case(
        "stress, cpu_workers: 12", "status: 200, min: 0.1", service="inventory", cpu_s=1.4
    ),
    "iptables loss": Case(
        "iptables loss, probability: 0.5, protocol: tcp", "status: 200, min: 0.1"
    ),
    "netem delay": Case("netem delay, delay_ms: 300", "status: 200, min: 0.1"),
}
RM = Case("rm", f"status: 503, {ON_PAYMENTS}, min: 0.1", anew=True)
KILL = Case("kill", f"status: 503, {ON_PAYMENTS}, min: 0.2", anew=True)


def experiment(case: Case, lasts_s: float = 4, recovery_s: float = 2) -> str:
    """Return a short experiment with only this fault."""
    return f"""\
name: pumba-{case.command.split(",")[0].replace(" ", "-")}
title: Pumba, and what its fault costs {case.service}
learn: Whatever is done to a container, no seat and no charge is lost, and nothing of it stays.
load: {{profile: mixed, rate_rps: 12, mix: {{reserve: 0.75, read_event: 0.25}}}}
phases: {{warmup_s: 1, baseline_s: 2, fault_s: {lasts_s + 2}, recovery_s: {recovery_s}}}
faults:
  - {{id: hit, start_s: 0.5, duration_s: {lasts_s}, pumba: {{service: {case.service}, command: {case.command}}}}}
expect:
  - rate: {{phase: baseline, status: 200, min: 0.7}}
  - rate: {{phase: fault, {case.felt}}}
invariants: all
"""


class Container(NamedTuple):
    """The properties of a container that must be unchanged after a fault."""

    id: str
    status: str
    health: str


@dataclass(frozen=True)
class Look:
    """A snapshot of a stack's containers, by name."""

    containers: dict[str, Container]
    started: dict[str, str]

    def anew(self, before: "Look") -> set[str]:
        """Return the services whose containers were restarted since."""
        changed = {name for name, at in self.started.items() if at != before.started.get(name)}
        return {name.split("-")[-2] for name in changed}


def look(stack: Stack) -> Look:
    found = {each["Name"].lstrip("/"): each for each in stack.containers()}
    states = {name: each["State"] for name, each in found.items()}
    return Look(
        {
            name: Container(found[name]["Id"], state["Status"], _health(state))
            for name, state in states.items()
        },
        {name: state["StartedAt"] for name, state in states.items()},
    )


def _health(state: dict[str, dict[str, str]]) -> str:
    return state.get("Health", {}).get("Status", "")


def cpu_s(stack: Stack, service: str) -> float:
    """Return the processor seconds that the control group of a service has used."""
    first, second = "/sys/fs/cgroup/cpuacct/cpuacct.usage", "/sys/fs/cgroup/cpu.stat"
    said = stack.inside(service, "sh", "-c", f"cat {first} 2>/dev/null || cat {second}").stdout
    words = said.split()
    return int(words[1]) / 1e6 if words[0] == "usage_usec" else int(words[0]) / 1e9


def left_by_pumba(stack: Stack, service: str, run_id: str) -> list[str]:
    """Return the leftovers of a run: iptables rules, qdiscs, helper containers, processes, toxics, disabled proxies."""
    return [
        *in_network(stack, service),
        *_helpers(stack, run_id),
        *_processes(run_id),
        *_proxies(stack),
    ]


def in_network(stack: Stack, service: str) -> list[str]:
    """Return every iptables rule and every netem in the network of a service's first container."""
    words = ("--cap-add", "NET_ADMIN", "--entrypoint", "sh", SETTINGS.iptables_image, "-c")
    where = ("run", "--rm", "--pull=never", "--network", f"container:{stack.project}-{service}-1")
    said = stack.docker(*where, *words, "iptables -S && tc qdisc show").stdout
    assert "-P INPUT ACCEPT" in said
    return [line for line in said.splitlines() if line.startswith("-A") or "netem" in line]


def _helpers(stack: Stack, run_id: str) -> Iterator[str]:
    """Return helper containers that refer to the run, or to one of the stack's containers."""
    ours = {run_id, *(each["Id"] for each in stack.containers())}
    for label in (SKIP_LABEL, TOKEN_LABEL):
        ids = stack.docker("ps", "--all", "--quiet", "--filter", f"label={label}").stdout.split()
        # one of somebody else's may be gone by now, which makes the code 1
        said = stack.docker("inspect", *ids, check=False).stdout if ids else "[]"
        for each in json.loads(said):
            if any(name in json.dumps(each) for name in ours):
                yield f"container {each['Name']}"


def _processes(run_id: str) -> Iterator[str]:
    for process in psutil.process_iter():
        try:
            if process.environ().get(TOKEN_VARIABLE, "").startswith(run_id):
                yield f"process {process.pid}"
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _proxies(stack: Stack) -> Iterator[str]:
    proxies = ToxiproxyClient(f"http://{stack.address('toxiproxy', 8474)}").proxies()
    for name, proxy in proxies.items():
        if proxy.toxics or not proxy.enabled:
            yield f"proxy {name}"
