"""The files of one run, in ``runs/<run_id>/``. Paths only; each stage reads and writes its own files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run. Only ``create`` touches the disk."""

    root: Path

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

    @property
    def experiment(self) -> Path:
        """The experiment file, byte for byte as it was read."""
        return self.root / "experiment.yaml"

    @property
    def testbed(self) -> Path:
        """The TestbedSpec with everything resolved, as JSON."""
        return self.root / "testbed.json"

    @property
    def policy(self) -> Path:
        """The policy file, byte for byte."""
        return self.root / "policy.yaml"

    @property
    def plan(self) -> Path:
        """The Plan, as JSON."""
        return self.root / "plan.json"

    @property
    def environment(self) -> Path:
        """The machine and the versions, as JSON; missing in folders of earlier versions."""
        return self.root / "environment.json"

    @property
    def invariants(self) -> Path:
        """A copy of every invariant's SQL, so that the run can be judged again anywhere."""
        return self.root / "invariants"

    @property
    def journal(self) -> Path:
        """The undo journal, JSONL, fsynced before each fault."""
        return self.root / "journal.jsonl"

    @property
    def events(self) -> Path:
        """The run log: what the runner did and when (t0, faults applied and undone, settled), JSONL."""
        return self.root / "events.jsonl"

    @property
    def records(self) -> Path:
        """One RequestRecord per line, appended during the run."""
        return self.root / "requests.jsonl"

    @property
    def otlp(self) -> Path:
        """OTLP trace export bodies as received: 4 bytes big-endian length, then the protobuf."""
        return self.root / "otlp-traces.bin"

    @property
    def spans(self) -> Path:
        """Spans decoded after the run, Parquet, one row per span."""
        return self.root / "spans.parquet"

    @property
    def traces(self) -> Path:
        """Sampled traces, JSONL: per phase up to 1000 failing ones of each cause and 20 successful ones."""
        return self.root / "traces.jsonl"

    @property
    def metrics(self) -> Path:
        """Metrics scraped from every service each second, JSONL."""
        return self.root / "metrics.jsonl"

    @property
    def promql(self) -> Path:
        """Prometheus's result for each ``promql`` expectation, JSONL; only if there is one."""
        return self.root / "promql.jsonl"

    @property
    def samples(self) -> Path:
        """Prometheus's own data of the run, if it ran with one; ``aguante observe`` opens it."""
        return self.root / "prometheus"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.root / "logs"

    @property
    def tables(self) -> Path:
        """Final database tables, ``<database>.<table>.csv`` with ``schema.json`` beside them."""
        return self.root / "tables"

    @property
    def measures(self) -> Path:
        """The Measures, as JSON."""
        return self.root / "measures.json"

    @property
    def verdict(self) -> Path:
        """The public, versioned verdict."""
        return self.root / "verdict.json"

    @property
    def report_html(self) -> Path:
        """The self-contained report."""
        return self.root / "report.html"

    @property
    def report_md(self) -> Path:
        """The report as a pull-request comment."""
        return self.root / "report.md"

    @property
    def junit(self) -> Path:
        """The verdict as JUnit XML."""
        return self.root / "junit.xml"
