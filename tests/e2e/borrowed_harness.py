"""A testbed that outlives the runs that borrow it, and whether it is as it was before they did."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from undo_harness import LIMIT_S, ROOT, Run, aguante, environment, named_by, writers_below

from aguante.clients.toxiproxy_client import ToxiproxyClient
from aguante.testbed.runtime import Testbed

Told = dict[str, object]


@dataclass(frozen=True)
class Borrowed:
    """What ``aguante up --detach`` left running, and what its services said of their policy then."""

    home: Path
    testbed: Testbed
    policies: Told

    def borrow(self, folder: Path) -> Run:
        """A run on it, with a folder of its own."""
        return Run.start(folder, attach=(self.home, self.testbed.id))

    def changed(self) -> list[str]:
        """Everything that is not as it was: toxics, proxies, processes, policies."""
        proxies = ToxiproxyClient(self.testbed.toxiproxy).proxies()
        return [
            *(f"toxic {toxic.name} on {name}" for name, p in proxies.items() for toxic in p.toxics),
            *(f"{name} is disabled" for name, proxy in proxies.items() if not proxy.enabled),
            *(f"{name} is {state}" for name, state in self._states() if state != "running"),
            *(
                f"policy of {n}"
                for n, now in policies_of(self.testbed).items()
                if now != self.policies[n]
            ),
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


def policies_of(testbed: Testbed) -> Told:
    """What each service says that it was started with."""
    return {each.instance: _json(f"{each.url}/policy") for each in testbed.services}


def _json(url: str) -> object:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own service
        return json.load(answer)


def left_of(run: Run) -> list[str]:
    """Processes of a run that are still there although it has ended; its testbed's are not its own."""
    return [*writers_below(run.folder), *named_by(str(run.folder))]


@contextlib.contextmanager
def lent() -> Iterator[Borrowed]:
    """A testbed with the default policy, in a folder of its own; afterwards no process of it may be left."""
    home = Path(tempfile.mkdtemp(prefix="aguante-lent-"))
    home.chmod(
        0o711
    )  # one that is detached lies on the disk, and PostgreSQL's account passes through
    (home / "tmp").mkdir()
    try:
        up = _call(home, "up", "--detach", "--json")
        testbed = Testbed.model_validate_json(up)
        yield Borrowed(home, testbed, policies_of(testbed))
    finally:
        _call(home, "down", "--all")
        left = writers_below(home)
        shutil.rmtree(home)
    assert left == []


def _call(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        aguante(home, *arguments)[: 3 + len(arguments)],  # neither takes a folder of runs
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
