"""Real runs that tests only read: each is played once, in the background, a few side by side.

A module names its runs with ``real_runs``, which gives a fixture of their results. The first test of a session starts
all runs that the collected tests need, so that runs are played while other tests are executed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aguante_process import run_aguante

from aguante.run_folder.folder import RunFolder
from aguante.verdict.verdict import Verdict

T = TypeVar("T")
AT_ONCE = 3
"""A run mostly waits: three of them keep two cores busy."""
LIMIT_S = 300.0
RETRIED = ("--retry-inconclusive", "2")
"""A run without a steady state, or whose fault came late, shows nothing: it is repeated, as in CI."""
_JOBS: dict[str, "Mapping[str, Callable[[Path], Any]]"] = {}


class Farm(Mapping[str, Mapping[str, Any]]):
    """The results by fixture name, then by key; reading one waits until its run has ended."""

    def __init__(self, folder: Path, needed: list[str]) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._results = {name: _Results(self._begin(folder / name, _JOBS[name])) for name in needed}

    def _begin(
        self, folder: Path, jobs: Mapping[str, Callable[[Path], Any]]
    ) -> "dict[str, Future[Any]]":
        begun = {}
        for key, job in jobs.items():
            (folder / key).mkdir(parents=True)
            begun[key] = self._pool.submit(job, folder / key)
        return begun

    def close(self) -> None:
        """Begin no further run, and wait for those that are played."""
        self._pool.shutdown(cancel_futures=True)

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


class _Results(Mapping[str, Any]):
    def __init__(self, begun: "Mapping[str, Future[Any]]") -> None:
        self._begun = begun

    def __getitem__(self, key: str) -> Any:
        return self._begun[key].result()

    def __iter__(self) -> Iterator[str]:
        return iter(self._begun)

    def __len__(self) -> int:
        return len(self._begun)


def real_runs(name: str, jobs: Mapping[str, Callable[[Path], T]]) -> Callable[..., Any]:
    """A session fixture of this name: a mapping from each key to the result of its job.

    A job gets an empty folder of its own. What it raises is raised where its result is read.
    """
    _JOBS[name] = jobs

    @pytest.fixture(scope="session", name=name)
    def results(farm: Farm) -> Mapping[str, T]:
        return farm[name]

    return results


def needed_by(items: list[pytest.Item]) -> list[str]:
    """The fixtures of real runs that these tests use, in the order of the tests."""
    used = (name for item in items for name in getattr(item, "fixturenames", ()))
    return [name for name in dict.fromkeys(used) if name in _JOBS]


@dataclass(frozen=True)
class EndedRun:
    """A run that was played to its end."""

    exit_code: int
    stdout: str
    stderr: str
    folder: RunFolder
    """Of the last attempt."""

    @property
    def verdict(self) -> Verdict:
        """Its verdict."""
        return Verdict.model_validate_json(self.folder.verdict.read_bytes())


def play(
    folder: Path, experiment: Path, *, options: Sequence[str] = (), sets: Sequence[str] = ()
) -> EndedRun:
    """``aguante run`` of one experiment with its run folder below ``folder``; ``sets`` are values of ``--set``."""
    settings = [part for text in sets for part in ("--set", text)]
    runs = folder / "runs"
    mark = {"AGUANTE_TEST_MARK": str(folder)}  # inherited by every process of the run
    words = ("run", experiment, "--quiet", *settings, *options, "--runs", runs)
    done = run_aguante(*words, env=mark, limit_s=LIMIT_S)
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    return EndedRun(done.returncode, done.stdout, done.stderr, RunFolder(max(runs.glob("2*"))))


def play_text(
    folder: Path, text: str, *, options: Sequence[str] = (), sets: Sequence[str] = ()
) -> EndedRun:
    """Like ``play``, with the text of an experiment."""
    path = folder / "experiment.yaml"
    path.write_text(text)
    return play(folder, path, options=options, sets=sets)
