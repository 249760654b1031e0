"""Undo survives anything: whatever ends a run, nothing stays broken, and what it says is true."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from undo_harness import STAGES, WITH_PROCESSES, Run, recover, strike

pytestmark = pytest.mark.alone

STRUCK = {
    signal.SIGINT: ("boot", "fault", "heal"),
    signal.SIGTERM: ("baseline", "fault", "analysis"),
    signal.SIGKILL: ("boot", "fault", "analysis"),
}
STORM = 20
AT_ONCE = 3
Struck = dict[signal.Signals, list[tuple[str, Run, int]]]
"""By signal: stage, run and its exit code."""


def strike_all(folder: Path, blows: list[tuple[signal.Signals, str]]) -> Struck:
    """A run per blow, AT_ONCE of them: none is judged by its timing."""

    def one(at: int) -> tuple[Run, int]:
        number, stage = blows[at]
        run = Run.start(folder / f"{at:02d}-{stage}", text=WITH_PROCESSES)
        return strike(run, stage, number, 1000 * number + at)

    struck: Struck = {number: [] for number, _ in blows}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(one, range(len(blows))))
    for (number, stage), (run, code) in zip(blows, ended, strict=True):
        struck[number].append((stage, run, code))
    return struck


def check_asked(stage: str, run: Run, code: int) -> None:
    """Healed, gone, and judged: a run that was stopped is inconclusive, one that had ended keeps its verdict."""
    assert run.left_behind() == []
    verdict = run.verdict
    if verdict is None:
        assert code == 2, run.output()
        assert stage in ("boot", "baseline"), run.output()
        return
    assert code == verdict.exit_code, run.output()
    assert code in (0, 2), run.output()
    if code == 0:
        assert stage in ("analysis", "heal"), "a stopped run was called held"
    applied = [fault for fault in verdict.faults if fault.actual_start_s is not None]
    assert all(fault.undone_verified for fault in applied)
    if stage == "fault":
        assert (code, verdict.verdict) == (2, "inconclusive")
        assert applied, "nothing was broken: this would prove nothing"
        assert '"action":"verified"' in run.run_folder.events.read_text()


def check_killed(stage: str, run: Run, code: int) -> None:
    """After SIGKILL `aguante recover` finds all there is to heal, says what it healed, and leaves nothing."""
    assert code in (-signal.SIGKILL, 0, 2)
    broken = run.still_broken()
    assert broken or stage != "fault", "nothing was broken: this would prove nothing"
    done = recover(run.folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert all(f"{fault_id}: healed" in done.stdout for fault_id in broken), done.stdout
    assert run.left_behind(within_s=12) == []
    again = recover(run.folder)
    assert (again.returncode, again.stdout) == (0, "nothing to heal\n")


@pytest.fixture(scope="module")
def struck(tmp_path_factory: pytest.TempPathFactory) -> Struck:
    """One run for each signal and stage of STRUCK."""
    folder = tmp_path_factory.mktemp("struck")
    return strike_all(folder, [(number, stage) for number in STRUCK for stage in STRUCK[number]])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_end_heals_first(struck: Struck, number: signal.Signals) -> None:
    """At a random moment of boot, baseline, fault, heal and analysis: nothing is left, and nothing is held."""
    for stage, run, code in struck[number]:
        check_asked(stage, run, code)


@pytest.mark.slow
def test_a_run_that_is_killed_can_be_recovered(struck: Struck) -> None:
    """At a random moment: no process, no folder, no fault is left after `aguante recover`."""
    for stage, run, code in struck[signal.SIGKILL]:
        check_killed(stage, run, code)


@pytest.mark.undo_storm
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_undo_storm(tmp_path: Path, number: signal.Signals) -> None:
    """Twenty moments of each signal, four in each stage (`make undo-storm`)."""
    blows = [(number, STAGES[at % len(STAGES)]) for at in range(STORM)]
    for stage, run, code in strike_all(tmp_path, blows)[number]:
        if number == signal.SIGKILL:
            check_killed(stage, run, code)
        else:
            check_asked(stage, run, code)
