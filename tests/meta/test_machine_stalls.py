"""A test on real parts that failed is played again where the machine stood still, and only there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from machine_stalls import PURE, STALL_S, StallWatch

TESTS = Path(__file__).parents[1]
CONFTEST = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from machine_stalls import watch_the_machine as pytest_configure
"""
FAILS = """
import os, signal, subprocess, sys, time

CONTINUE = "import os, signal, sys, time; time.sleep(0.6); os.kill(int(sys.argv[1]), signal.SIGCONT)"

def stand_still():
    helper = subprocess.Popen([sys.executable, "-c", CONTINUE, str(os.getpid())])
    os.kill(os.getpid(), signal.SIGSTOP)
    helper.wait()
    time.sleep(0.1)

played = []

def test_it():
    played.append(1)
"""
STILL_ONCE = (
    FAILS + "    if len(played) == 1:\n        stand_still()\n        raise TimeoutError('late')\n"
)
STILL_ALWAYS = FAILS + "    stand_still()\n    raise TimeoutError('late')\n"
STILL_BEFORE = FAILS + "    raise TimeoutError('late')\n\nstand_still()\n"
WELL = FAILS + "    raise TimeoutError('late')\n"
STILL_AND_PASSES = FAILS + "    stand_still()\n"


def play(folder: Path, source: str, under: str) -> str:
    """What pytest says of a test module of this source."""
    module = folder / under / "test_module.py"
    module.parent.mkdir(parents=True)
    module.write_text(source)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-raR",
        "--rerun-show-tracebacks",
        "-p",
        "pytest_rerunfailures",
    ]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        argv, cwd=folder, env=alone, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout


@pytest.mark.parametrize(
    ("source", "told"),
    [
        pytest.param(STILL_ONCE, "1 passed, 1 rerun in", id="a stall, then none"),
        pytest.param(STILL_ALWAYS, "1 failed, 2 rerun in", id="a stall each time"),
        pytest.param(STILL_BEFORE, "1 failed in", id="a stall before the test"),
        pytest.param(WELL, "1 failed in", id="no stall"),
        pytest.param(STILL_AND_PASSES, "1 passed in", id="a stall that did no harm"),
    ],
)
def test_who_failed_is_played_again_only_after_a_stall(
    source: str, told: str, tmp_path: Path
) -> None:
    """Twice at most; the summary counts it."""
    summary = play(tmp_path, source, "tests/contract").splitlines()[-1]
    assert told in summary


def test_a_replay_is_not_hidden(tmp_path: Path) -> None:
    """The failure that was played again is shown with its traceback and with what stood still."""
    output = play(tmp_path, STILL_ONCE, "tests/e2e")
    assert "TimeoutError: late" in output
    assert "RERUN tests/e2e/test_module.py::test_it" in output
    assert "the machine stood still meanwhile" in output


@pytest.mark.parametrize("under", PURE)
def test_what_uses_nothing_real_is_never_played_again(under: str, tmp_path: Path) -> None:
    """No time can matter to it."""
    assert "1 failed in" in play(tmp_path, STILL_ONCE, under).splitlines()[-1]


def test_a_stall_is_a_wake_up_that_comes_late_enough() -> None:
    """From ``STALL_S`` on; what ended before the attempt began is not told."""
    watch = StallWatch()
    for woke_s in (10.0 + STALL_S * 0.9, 20.0 + STALL_S, 30.0 + STALL_S * 4):
        watch.note(float(int(woke_s)) // 10 * 10, woke_s)
    assert watch.since(0.0) == pytest.approx([STALL_S, STALL_S * 4])
    assert watch.since(25.0) == pytest.approx([STALL_S * 4])
    assert watch.since(40.0) == []
