"""``aguante saturate`` without a testbed: which levels are kept after a failure."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aguante.cli import main as cli
from aguante.load.generator import LoadError
from aguante.measure.saturation_levels import Level
from aguante.run_folder.run_log import EvidenceError
from aguante.runtimes.chosen_runtime import ChosenRuntime
from aguante.suite import saturation_sweep as play
from aguante.testbed.runtime import TestbedError

FAILS = [
    LoadError("a worker was lost", 1),
    EvidenceError("requests.jsonl: cannot be read"),
    TestbedError("setup got 500"),
    OSError(28, "No space left on device"),
]


class NoTestbed:
    """Starts nothing, and counts how often it was brought up and taken down."""

    ups, downs = 0, 0

    async def up(self, *_: object) -> None:
        NoTestbed.ups += 1

    async def down(self) -> None:
        NoTestbed.downs += 1


@pytest.fixture(autouse=True)
def _no_testbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ChosenRuntime, "make", lambda _: NoTestbed())
    monkeypatch.setattr(play, "PAUSE_S", 0.0)
    NoTestbed.ups = NoTestbed.downs = 0
    yield
    assert NoTestbed.ups == NoTestbed.downs


def levels(monkeypatch: pytest.MonkeyPatch, failure: Exception | None, at: int = 3) -> None:
    """Goodput stays at 60 from 100 rps on; the level with number ``at`` fails."""
    played: list[float] = []

    async def level(
        search: play.Search, spec: object, policy: str, testbed: object, rate: float
    ) -> Level:
        played.append(rate)
        (search.folder / f"{policy}-{rate:g}").mkdir(parents=True)
        if failure is not None and len(played) == at:
            raise failure
        return Level(
            target_rps=rate, offered_rps=rate, achieved_rps=rate, goodput_rps=min(rate, 60.0),
            statuses=((200, 1.0),), mechanisms=(), p50_ms=9.0, p95_ms=9.0, late_p99_ms=1.0,
        )  # fmt: skip

    monkeypatch.setattr(play, "_play_level", level)


def saturate(runs: Path, *options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(
            ["saturate", "--from", "50", "--to", "150", "--step", "50", "--beyond", "1", "--json",
             "--runs", str(runs), *options]
        )  # fmt: skip
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("failure", FAILS, ids=lambda each: type(each).__name__)
def test_a_failure_keeps_the_levels_before_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: Exception,
) -> None:
    """The first level of the second policy fails: exit 4 with the reason; the first sweep and its page are written."""
    levels(monkeypatch, failure)
    assert saturate(tmp_path) == 4
    output = capsys.readouterr()
    assert f"error: no-semaphore: {failure}" in output.err
    (sweep,) = json.loads(output.out)["sweeps"]
    assert [each["target_rps"] for each in sweep["levels"]] == [50, 100]
    (page,) = tmp_path.glob("*/saturation.html")
    assert "the knee is at 50 rps" in page.read_text()


def test_a_sweep_that_is_cut_short_has_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its second level fails: one level is kept with the reason, and no other policy begins."""
    levels(monkeypatch, LoadError("a worker was lost", 1), at=2)
    assert saturate(tmp_path) == 4
    (sweep,) = json.loads(capsys.readouterr().out)["sweeps"]
    assert (len(sweep["levels"]), sweep["cut_short"]) == (1, "a worker was lost")
    (page,) = tmp_path.glob("*/saturation.html")
    assert "no knee was reached; cut short by a failure" in page.read_text()
    assert NoTestbed.ups == 1


def test_a_failure_of_the_first_level_leaves_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 4 with the reason."""
    levels(monkeypatch, LoadError("a worker was lost", 1), at=1)
    assert saturate(tmp_path) == 4
    assert "error: default: a worker was lost" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/saturation.html"))


def test_a_knee_under_every_policy_is_a_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """60 rps is less than 95 % of 100: exit 0."""
    levels(monkeypatch, None)
    assert saturate(tmp_path) == 0
    assert [each["policy"] for each in json.loads(capsys.readouterr().out)["sweeps"]] == [
        "default",
        "no-semaphore",
    ]


def test_each_level_is_shown_with_the_time_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At most: as if every level of every policy had to be played."""
    levels(monkeypatch, None)
    assert saturate(tmp_path) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("default: offered 50 rps")
    assert lines[0].endswith("(at most 1 min left)")  # 5 levels of 10 s, and 3 s between them
    assert lines[-1].endswith("(at most 10 s left)")


def test_a_policy_that_is_named_twice_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3: both sweeps would write to the same folder."""
    assert saturate(tmp_path, "--policies", "default,no-semaphore,default") == 3
    assert "default is given twice; give each policy once" in capsys.readouterr().err
    assert NoTestbed.ups == 0
