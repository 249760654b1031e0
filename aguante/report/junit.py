"""The verdict as JUnit XML, for the test view of a CI server.

The file agrees with the exit code. If the verdict is the expected one, no case fails: with
``expected_verdict: deviated``, unmet expectations are skipped, as pytest does with an expected failure. Otherwise an
unmet expectation or a violated invariant is a ``failure``, and one that could not be judged is an ``error``. It is
not ``skipped``, because CI servers show skipped tests in green. The verdict is a case too, so that runs that are
inconclusive for another reason (load shortfall, no injection) are red.
"""

import xml.etree.ElementTree as ET

from aguante.measure.measures import Measures
from aguante.plan.plan import Plan
from aguante.report.formats import printable
from aguante.verdict.verdict import ExpectationResult, InvariantResult, Verdict


def render_junit(plan: Plan, measures: Measures, verdict: Verdict) -> str:
    """One test suite; a case for the verdict, for each expectation and for each invariant."""
    suite = ET.Element("testsuite", name=printable(f"aguante.{verdict.experiment}"))
    _properties(suite, plan, measures, verdict)
    agreed = verdict.exit_code == 0
    cases = [_verdict(verdict)]
    cases += [_expectation(verdict, result, agreed=agreed) for result in verdict.expectations]
    cases += [_invariant(verdict, result, agreed=agreed) for result in verdict.invariants]
    suite.extend(cases)
    _totals(suite, cases, plan.end_s)
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _properties(suite: ET.Element, plan: Plan, measures: Measures, verdict: Verdict) -> None:
    values = {
        "run_id": verdict.run_id,
        "experiment": plan.source,
        "runtime": verdict.runtime,
        "policy": verdict.policy,
        "seed": str(verdict.seed),
        "verdict": verdict.verdict,
        "expected_verdict": verdict.expected_verdict,
        "stopped": measures.stopped,
    }
    properties = ET.SubElement(suite, "properties")
    for name, value in values.items():
        if value:
            ET.SubElement(properties, "property", name=name, value=printable(value))


def _totals(suite: ET.Element, cases: list[ET.Element], duration_s: float) -> None:
    for total, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(total, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    suite.set("time", f"{duration_s:.3f}")


def _case(verdict: Verdict, group: str, name: str) -> ET.Element:
    classname = printable(f"{verdict.experiment}.{group}")
    return ET.Element("testcase", classname=classname, name=printable(name), time="0")


def _ending(case: ET.Element, tag: str, message: str, body: str = "") -> None:
    ending = ET.SubElement(case, tag, message=printable(message))
    ending.text = printable(body) or None


def _verdict(verdict: Verdict) -> ET.Element:
    case = _case(verdict, "verdict", f"verdict is {verdict.expected_verdict}")
    if verdict.exit_code != 0:
        tag = "error" if verdict.verdict == "inconclusive" else "failure"
        message = f"{verdict.verdict}, expected {verdict.expected_verdict}"
        _ending(case, tag, message, "\n".join((*verdict.reasons, verdict.headline)))
    return case


def _expectation(verdict: Verdict, result: ExpectationResult, *, agreed: bool) -> ET.Element:
    case = _case(verdict, "expectations", result.text)
    if result.outcome == "met":
        return case
    message = f"{result.outcome}: observed {result.observed}, required {result.required}"
    tag = "failure" if result.outcome == "unmet" else "error"
    _ending(case, "skipped" if agreed else tag, message, f"{result.reason}\n{result.where}".strip())
    return case


def _invariant(verdict: Verdict, result: InvariantResult, *, agreed: bool) -> ET.Element:
    case = _case(verdict, "invariants", result.name)
    if result.outcome == "held":
        return case
    measure = result.measure
    message = f"{result.outcome}: {measure.violations} violations, exposure {measure.exposure}"
    rows = [
        ", ".join(f"{c}={v}" for c, v in zip(measure.columns, row, strict=False))
        for row in measure.rows
    ]
    tag = "failure" if result.outcome == "violated" else "error"
    _ending(case, "skipped" if agreed else tag, message, "\n".join([measure.error, *rows]).strip())
    return case
