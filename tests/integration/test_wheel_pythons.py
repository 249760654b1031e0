"""The wheel on newer versions of Python: those of Debian's newer releases, each in a root file system of its own."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from wheel_harness import build

RELEASES = {"3.13": "trixie", "3.14": "forky"}
"""Python -> the release that has it. 3.15, in forky too, has no wheel of PostgreSQL yet."""
NEEDED = ("unshare", "chroot", "mmdebstrap")
ROOT_LIMIT_S, PLAY_LIMIT_S = 600, 900
ENTER = """
mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/dev/shm"
exec chroot "$0" "$@"
"""
PLAY = """
set -eux
"python$1" -m venv /tmp/venv
/tmp/venv/bin/pip install -q --disable-pip-version-check /tmp/aguante-*.whl
mkdir /tmp/empty && cd /tmp/empty
PATH=/tmp/venv/bin:$PATH
aguante list --json >list.json
aguante up --detach --json >up.json
aguante down "$(python -c 'import json; print(json.load(open("up.json"))["id"])')"
aguante load --rate 20 --duration 2 --ci
aguante run no-fault --ci --set load.rate_rps=20 --set phases.baseline_s=3 --set phases.fault_s=3 || test $? -le 2
"""

pytestmark = pytest.mark.nightly("a root file system for each newer Python")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))[0]


@pytest.fixture(params=RELEASES)
def root(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    part_is_missing: Callable[[str], NoReturn],
) -> Iterator[tuple[str, Path]]:
    """A Python version, and a root file system that has it."""
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    if lacking or os.geteuid() != 0:
        part_is_missing(f"needs root and {', '.join(NEEDED)}; lacking: {lacking or 'root'}")
    version, folder = request.param, tmp_path / "root"
    packages = f"python{version},python{version}-venv,ca-certificates,libstdc++6"
    options = ["--quiet", "--variant=essential", f"--include={packages}"]
    # an unreleased suite is signed anew every week, and a mirror may be older
    options += ['--aptopt=Acquire::Check-Valid-Until "false"']
    command = ["mmdebstrap", *options, RELEASES[version], str(folder)]
    subprocess.run(command, check=True, timeout=ROOT_LIMIT_S)
    for name in ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt"):
        shutil.copy(Path("/") / name, folder / name)
    yield version, folder
    shutil.rmtree(folder)


def test_the_wheel_works_on_a_newer_python(
    root: tuple[str, Path], wheel: Path, toxiproxy_binary: Path
) -> None:
    """It is installed with pip alone, and `list`, `up`, `down`, `load` and `run NAME` work in an empty folder."""
    version, folder = root
    shutil.copy(wheel, folder / "tmp")
    shutil.copy(toxiproxy_binary, folder / "usr/local/bin")
    enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", ENTER]
    done = subprocess.run(
        [*enter, str(folder), "bash", "-c", PLAY, "play", version],
        env=os.environ | {"HOME": "/root", "TMPDIR": "/tmp"},  # noqa: S108 - of the other root
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PLAY_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    runs = folder / "tmp/empty/runs"
    (verdict,) = runs.glob("*-no-fault-*/verdict.json")
    assert json.loads(verdict.read_text())["experiment"] == "no-fault"
    assert list(runs.glob("*-load-*/report.html"))
