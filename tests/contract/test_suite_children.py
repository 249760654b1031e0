"""A run as a child process: its arguments, and its result however it ends. A small script takes its place."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from aguante.suite.child_runs import ChildRuns
from aguante.suite.many_runs import interleave
from aguante.verdict.suite_result import SuiteRun

# The hand-made lines live beside the unit tests, which are no package that could be imported from here.
sys.path.append(str(Path(__file__).parents[1] / "unit" / "suite"))
from suite_lines import SLOW, line, suite

TALKS = "import sys; print('progress', file=sys.stderr); print({output!r}); sys.exit({code})"
WAITS = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (print({output!r}), sys.exit(2)))\n"
    "print('waiting', file=sys.stderr, flush=True)\n"
    "time.sleep(60)"
)


async def play(
    folder: Path,
    script: str,
    *,
    stop: asyncio.Event | None = None,
    margin_s: float = 30,
    lasts_s: float = 0,
) -> SuiteRun:
    (folder / "logs").mkdir(exist_ok=True)
    *_, job = interleave([SLOW, replace(SLOW, lasts_s=lasts_s)], 1, 7)

    def program(*arguments: str) -> list[str]:
        return [sys.executable, "-c", script, *arguments]

    children = ChildRuns(folder, ("--runs", "x"), margin_s, stop or asyncio.Event(), program)
    return await children.run(job)


async def test_the_childs_json_is_its_result(tmp_path: Path) -> None:
    """With verdict, headline and run id; its output is stored in a file."""
    output = suite(line("deviated", headline="reads failed")).model_dump_json()
    result = await play(tmp_path, TALKS.format(output=output, code=1))
    assert (result.verdict, result.exit_code, result.headline) == ("deviated", 1, "reads failed")
    assert result.entry == 1, "which side of a comparison it belongs to"
    assert (tmp_path / result.log).read_text() == "progress\n"


@pytest.mark.parametrize(("code", "counts_as"), [(4, 4), (5, 5), (3, 3), (-9, 5), (0, 5), (1, 5)])
async def test_a_child_without_a_verdict_is_an_error(
    tmp_path: Path, code: int, counts_as: int
) -> None:
    """No output is never a pass, even with exit code 0; a killed child counts as a crash."""
    ending = f"import os, signal; os.kill(os.getpid(), {-code})" if code < 0 else f"exit({code})"
    result = await play(tmp_path, ending)
    assert (result.verdict, result.exit_code) == ("error", counts_as)
    assert str(code) in result.headline


async def test_a_signal_is_forwarded_and_the_child_is_awaited(tmp_path: Path) -> None:
    """It heals within its own limits, and its result is used."""
    stop = asyncio.Event()
    output = suite(line("inconclusive")).model_dump_json()
    playing = asyncio.ensure_future(play(tmp_path, WAITS.format(output=output), stop=stop))
    await _said(tmp_path, "waiting")
    stop.set()
    assert (await playing).verdict == "inconclusive"


async def test_a_child_may_take_as_long_as_its_plan(tmp_path: Path) -> None:
    """The margin counts from the planned end, so a run of several hours is not ended after one."""
    output = suite(line("held")).model_dump_json()
    script = f"import time; time.sleep(0.5); print({output!r})"
    result = await play(tmp_path, script, margin_s=0.01, lasts_s=4 * 3600)
    assert (result.verdict, result.exit_code) == ("held", 0)


async def test_a_child_that_takes_too_long_is_asked_to_stop(tmp_path: Path) -> None:
    """After the planned duration and the margin."""
    output = suite(line("inconclusive")).model_dump_json()
    result = await play(tmp_path, WAITS.format(output=output), margin_s=1.0)
    assert result.exit_code in (2, 5)  # 5: asked before it had its handler
    assert result.took_s < 20


async def _said(folder: Path, word: str) -> None:
    for _ in range(1000):
        if _found(folder, word):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"the child never said {word}")


def _found(folder: Path, word: str) -> bool:
    return any(word in log.read_text() for log in folder.glob("logs/*"))
