"""A testbed that outlives the runs that attach to it, and whether they left it unchanged."""

import contextlib
import json
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from aguante_process import run_aguante
from undo_harness import Run, environment, named_by, writers_below

from aguante.clients.toxiproxy_client import ToxiproxyClient
from aguante.testbed.runtime import Testbed

Policies = dict[str, object]


@dataclass(frozen=True)
class DetachedTestbed:
    """A testbed that ``aguante up --detach`` started, and the policies of its services at that time."""

    home: Path
    testbed: Testbed
    policies: Policies

    def start_run(self, folder: Path) -> Run:
        """Start a run on it, in a folder of the run's own."""
        return Run.start(folder, attach=(self.home, self.testbed.id))

    def changed(self) -> list[str]:
        """Every toxic, proxy, process and policy that differs from the start."""
        proxies = ToxiproxyClient(self.testbed.toxiproxy).proxies()
        policies = policies_of(self.testbed).items()
        return [
            *(f"toxic {toxic.name} on {name}" for name, p in proxies.items() for toxic in p.toxics),
            *(f"{name} is disabled" for name, proxy in proxies.items() if not proxy.enabled),
            *(f"{name} is {state}" for name, state in self._states() if state != "running"),
            *(f"policy of {name}" for name, now in policies if now != self.policies[name]),
        ]

    def _states(self) -> Iterator[tuple[str, str]]:
        pids = {each.instance: each.pid for each in self.testbed.services} | self.testbed.servers
        for name, pid in pids.items():
            try:
                status = psutil.Process(pid).status()
            except psutil.NoSuchProcess:
                status = "gone"
            ill = status in ("gone", psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
            yield name, status if ill else "running"


def policies_of(testbed: Testbed) -> Policies:
    """The policy that each service reports."""
    return {each.instance: _json(f"{each.url}/policy") for each in testbed.services}


def _json(url: str) -> object:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own service
        return json.load(response)


def left_of(run: Run) -> list[str]:
    """Processes of an ended run, without those of its testbed."""
    return [*writers_below(run.folder), *named_by(str(run.folder))]


@contextlib.contextmanager
def detached_testbed() -> Iterator[DetachedTestbed]:
    """A testbed with the default policy, in a folder of its own; afterwards no process of it may be left."""
    home = Path(tempfile.mkdtemp(prefix="aguante-detached-"))
    home.chmod(0o711)  # PostgreSQL's account must enter it
    (home / "tmp").mkdir()
    env = environment(home)
    try:
        up = run_aguante("up", "--detach", "--json", env=env)
        assert up.returncode == 0, up.stderr
        testbed = Testbed.model_validate_json(up.stdout)
        yield DetachedTestbed(home, testbed, policies_of(testbed))
    finally:
        down = run_aguante("down", "--all", env=env)
        left = writers_below(home)
        shutil.rmtree(home)
    assert down.returncode == 0, down.stderr
    assert left == []
