"""The wheel as a user gets it: built, installed into a fresh virtual environment, used in an empty folder."""

import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD_LIMIT_S = 120
INSTALL_LIMIT_S = 600
COMMAND_LIMIT_S = 120


def uv() -> str:
    """The uv of the development environment, else of PATH."""
    own = Path(sys.executable).with_name("uv")
    found = str(own) if own.exists() else shutil.which("uv")
    assert found
    return found


def build(folder: Path) -> tuple[Path, Path]:
    """Build the source distribution, and the wheel from nothing but that; returns wheel and source."""
    command = [uv(), "build", "-q", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*command, "-o", str(folder), str(ROOT)], check=True, timeout=BUILD_LIMIT_S)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


@dataclass(frozen=True)
class Installed:
    """An installed Aguante, and the folder in which its commands are run."""

    python: Path
    folder: Path
    variables: dict[str, str]
    """What its commands see of the environment besides PATH and HOME: nothing of the checkout."""

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``aguante ...``."""
        return self._run(str(self.python.with_name("aguante")), *words)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            command,
            cwd=self.folder,
            env=kept | self.variables,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )

    def json_of(self, *words: str) -> object:
        """What ``aguante ...`` prints as JSON; it must succeed."""
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def importable(self, module: str) -> bool:
        """Whether the environment's Python finds a module."""
        code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
        return self._run(str(self.python), "-c", code).returncode == 0

    def processor_s(self, *words: str) -> float:
        """The processor time of one ``aguante ...``, which does not depend on what else the machine does."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert self.run(*words).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def install(wheel: Path, python: str, home: Path) -> Path:
    """Install the wheel alone, with what it needs, into a fresh environment; returns its Python.

    The versions are those of requirements.txt, which uv has in its cache after ``make setup``.
    """
    own = home / "bin" / "python"
    subprocess.run([uv(), "venv", "-q", "--python", python, str(home)], check=True, timeout=60)
    command = [uv(), "pip", "install", "-q", "--python", str(own), str(wheel)]
    pinned = ["--constraint", str(ROOT / "requirements.txt")]
    subprocess.run([*command, *pinned], check=True, timeout=INSTALL_LIMIT_S, cwd=home)
    return own
