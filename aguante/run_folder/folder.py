"""The files of one run, in ``runs/<run_id>/``. Paths only; each stage reads and writes its own files."""

from dataclasses import dataclass
from pathlib import Path


class _Inside:
    """A path inside the run folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: "RunFolder", _: object = None) -> Path:
        return folder.root / self._name


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run. Only ``create`` touches the disk."""

    root: Path

    experiment = _Inside("experiment.yaml")
    """The experiment file, byte for byte as it was read."""
    testbed = _Inside("testbed.json")
    """The TestbedSpec with everything resolved, as JSON."""
    policy = _Inside("policy.yaml")
    """The policy file, byte for byte."""
    plan = _Inside("plan.json")
    """The Plan, as JSON."""
    environment = _Inside("environment.json")
    """The machine and the versions, as JSON; missing in folders of earlier versions."""
    invariants = _Inside("invariants")
    """A copy of every invariant's SQL, so that the run can be judged again anywhere."""
    journal = _Inside("journal.jsonl")
    """The undo journal, JSONL, fsynced before each fault."""
    events = _Inside("events.jsonl")
    """The run log: what the runner did and when (t0, faults applied and undone, settled), JSONL."""
    records = _Inside("requests.jsonl")
    """One RequestRecord per line, appended during the run."""
    otlp = _Inside("otlp-traces.bin")
    """OTLP trace export bodies as received: 4 bytes big-endian length, then the protobuf."""
    spans = _Inside("spans.parquet")
    """Spans decoded after the run, Parquet, one row per span."""
    traces = _Inside("traces.jsonl")
    """Sampled traces, JSONL: per phase up to 1000 failing ones of each cause and 20 successful ones."""
    metrics = _Inside("metrics.jsonl")
    """Metrics scraped from every service each second, JSONL."""
    promql = _Inside("promql.jsonl")
    """Prometheus's result for each ``promql`` expectation, JSONL; only if there is one."""
    samples = _Inside("prometheus")
    """Prometheus's own data of the run, if it ran with one; ``aguante observe`` opens it."""
    logs = _Inside("logs")
    """One file per process."""
    tables = _Inside("tables")
    """Final database tables, ``<database>.<table>.csv`` with ``schema.json`` beside them."""
    measures = _Inside("measures.json")
    """The Measures, as JSON."""
    verdict = _Inside("verdict.json")
    """The public, versioned verdict."""
    report_html = _Inside("report.html")
    """The self-contained report."""
    report_md = _Inside("report.md")
    """The report as a pull-request comment."""
    junit = _Inside("junit.xml")
    """The verdict as JUnit XML."""

    @classmethod
    def create(cls, runs: Path, run_id: str) -> "RunFolder":
        """Create the folder and its sub-folders.

        Raises:
            FileExistsError: a run with this id exists.
            OSError: the folder cannot be written.
        """
        root = runs / run_id
        root.mkdir(parents=True)
        for sub in ("logs", "tables"):
            (root / sub).mkdir()
        return cls(root)
