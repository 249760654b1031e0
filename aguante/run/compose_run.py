"""The composition root of a run: the only place that decides which runtime, drivers and collector it uses."""

import os
from functools import partial
from typing import Any

from aguante.collect.otlp_collector import Collector
from aguante.collect.promql_samples import queries_of
from aguante.drivers.driver import FaultDriver
from aguante.drivers.driver_set import Drivers
from aguante.drivers.process.process_driver import ProcessDriver
from aguante.drivers.pumba.pumba_driver import PumbaDriver
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.run.parts import RunParts, RunRequest
from aguante.run.progress import Progress
from aguante.runtimes.chosen_runtime import ChosenRuntime, RuntimeWithDocker
from aguante.testbed.runtime import Testbed


def compose_run(request: RunRequest, chosen: ChosenRuntime, progress: Progress) -> RunParts:
    """The parts of a run on the chosen runtime, with a Prometheus if the experiment queries one."""
    wanted = ("prometheus",) if queries_of(request.plan) else ()
    return parts_on(chosen.make(wanted, request.folder.samples), request, progress)


def parts_on(runtime: RuntimeWithDocker, request: RunRequest, progress: Progress) -> RunParts:
    """The parts of a run on this runtime."""
    return RunParts(
        runtime=runtime,
        drivers_for=partial(drivers_of, runtime, request),
        collector=Collector(request.folder.otlp),
        progress=progress,
    )


def drivers_of(runtime: RuntimeWithDocker, request: RunRequest, testbed: Testbed) -> Drivers:
    """The drivers of a testbed that the runtime has brought up."""
    run_id, spec = request.plan.run_id, request.spec
    control, docker = runtime.control, runtime.docker
    drivers: dict[str, FaultDriver[Any]] = {"toxiproxy": ToxiproxyDriver(testbed.toxiproxy, run_id)}
    if control:
        drivers["process"] = ProcessDriver(control, spec.ready_paths)
    if docker:
        settings = spec.pumba.with_overrides_from(os.environ)
        drivers["pumba"] = PumbaDriver(docker, testbed.id, run_id, settings)
    return Drivers(drivers)
