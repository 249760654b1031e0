"""From a run folder to its verdict: decode, measure, judge. Everything that judges a run comes through here."""

from dataclasses import dataclass

from aguante.collect.span_decoder import decode_spans
from aguante.measure.measure_run import measure
from aguante.measure.measures import Measures
from aguante.plan.plan import Plan
from aguante.report.write_reports import write_reports
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.judge import judge
from aguante.verdict.verdict import Verdict


@dataclass(frozen=True)
class FrozenRun:
    """A run that is over: its evidence, its plan and its testbed."""

    folder: RunFolder
    plan: Plan
    spec: TestbedSpec


@dataclass(frozen=True)
class JudgedRun:
    """A run that was judged."""

    folder: RunFolder
    plan: Plan
    measures: Measures
    verdict: Verdict

    def write(self) -> None:
        """Write measures, verdict and reports into the run folder.

        Raises:
            OSError: a file cannot be written.
        """
        self.folder.measures.write_text(self.measures.model_dump_json(indent=2))
        self.folder.verdict.write_text(self.verdict.model_dump_json(indent=2))
        self.write_reports()

    def write_reports(self) -> None:
        """Write the reports alone; OSError if one cannot be written."""
        write_reports(self.folder, self.plan, self.measures, self.verdict)


def analyse(run: FrozenRun) -> JudgedRun:
    """Measure and judge a run from its evidence; the same folder always gives the same verdict.

    On the first call, spans and sampled traces are written into the folder; nothing else is.

    Raises:
        EvidenceError: a file of the folder cannot be read.
        OSError: the folder cannot be written.
    """
    undecoded = run.folder.otlp.exists() and not run.folder.spans.exists()
    if undecoded:
        decode_spans(run.folder)
    keep_traces = not run.folder.traces.exists()
    measures = measure(run.folder, run.plan, run.spec, keep_traces=keep_traces)
    return JudgedRun(run.folder, run.plan, measures, judge(run.plan, measures))
