"""What a command that takes long shows: what it does, and how much time is left."""

import io
import threading

import pytest
from rich.console import Console

from aguante.cli.play_suite import SuiteProgress
from aguante.cli.render import elapsed
from aguante.cli.render.elapsed import ElapsedLine
from aguante.cli.render.run_text import PlainProgress, render
from aguante.core.durations import about
from aguante.run.progress import LiveStatus
from aguante.suite.many_runs import Entry, interleave
from aguante.verdict.suite_result import SuiteRun

STATUS = LiveStatus(
    at_s=12.0, end_s=30.0, phase="fault", offered_rps=60, achieved_rps=58.1, codes={"200": 700}
)


ENDED = SuiteRun(
    experiment="a",
    title="a",
    source="a.yaml",
    policy="default",
    run_id="run-a",
    seed=1,
    verdict="held",
    exit_code=0,
    headline="",
    took_s=30.0,
)


def console(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=100), file


def test_a_run_shows_the_time_that_is_left_of_its_load() -> None:
    """In plain lines, and in the table that is redrawn."""
    plain, text = console()
    PlainProgress(plain).tick(STATUS)
    assert "18 s of load left" in text.getvalue()
    drawn, text = console()
    drawn.print(render(STATUS))
    assert "fault (12 of 30 s, 18 s of load left)" in text.getvalue()


def test_a_suite_estimates_the_rest_by_what_the_others_took() -> None:
    """At first by the plan; afterwards scaled, and divided by the runs at a time."""
    entries = [Entry(f"{name}.yaml", name, name, "default", False, 60.0) for name in "abcd"]
    jobs = interleave(entries, 1, None)
    out, text = console()
    progress = SuiteProgress(out, jobs, at_once=2)
    progress.report(jobs[0], None)
    assert text.getvalue() == "[1/4] a (policy default) ... (about 2 min left)\n"
    progress.report(jobs[0], ENDED)
    assert text.getvalue().endswith("[1/4] a (policy default): held after 30 s\n")
    progress.report(jobs[1], None)
    assert text.getvalue().endswith("[2/4] b (policy default) ... (about 40 s left)\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "10 s"), (41, "40 s"), (100, "2 min"), (3599, "60 min"), (5400, "1.5 h")],
)
def test_estimates_are_rounded(seconds: float, text: str) -> None:
    """More digits would pretend to be known."""
    assert about(seconds) == text


def test_work_under_two_seconds_shows_nothing() -> None:
    """On a terminal and elsewhere."""
    for terminal in (True, False):
        out, text = console(terminal=terminal)
        ElapsedLine(out, "Reading ...").end()
        assert text.getvalue() == ""


def test_longer_work_is_said_once_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be redrawn there."""
    monkeypatch.setattr(elapsed, "SHOWN_AFTER_S", 0.0)
    out, text = console()
    line = ElapsedLine(out, "Reading ...")
    line._thread.join(10)
    line.end()
    assert text.getvalue() == "Reading ...\n"


def test_longer_work_has_a_running_clock_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the time that is left, where there is a limit."""
    monkeypatch.setattr(elapsed, "SHOWN_AFTER_S", 0.0)
    monkeypatch.setattr(elapsed, "REDRAWN_EVERY_S", 0.01)
    shown = threading.Event()

    class Screen(io.StringIO):
        def write(self, text: str) -> int:
            if "Waiting ... 0 s, at most 30 s left" in text:
                shown.set()
            return super().write(text)

    line = ElapsedLine(Console(file=Screen(), force_terminal=True), "Waiting ...", limit_s=30)
    assert shown.wait(10)
    line.end()
    assert line.line(31.0) == "Waiting ... 31 s, at most 0 s left"
