"""The headline of a run: its course as one sentence, from plan and measures."""

from collections import Counter

from aguante.expectations.ruling import milliseconds, percent
from aguante.measure.measures import CauseStory, InvariantMeasure, Measures
from aguante.plan.plan import Plan

CAUSES_MAX = 4
LEAST_SHARE = 0.005
"""Rarer causes appear only in the tables."""


def headline(plan: Plan, measures: Measures) -> str:
    """The faults, the failures with their first occurrence, the invariants, and the recovery."""
    responses = _responses(plan, measures)
    opening = f"{_faults(plan)}: {responses}" if responses else _faults(plan)
    ending = _ending(measures) if any(w.phase == "recovery" for w in plan.phases) else ""
    parts = [opening, _safety(measures), ending]
    return "; ".join(part for part in parts if part) + "."


def _faults(plan: Plan) -> str:
    if not plan.faults:
        return f"{plan.load.rate_rps:g} rps for {plan.load.duration_s:g} s without faults"
    counts = Counter(each.fault.headline(each.length_s) for each in plan.faults)
    return ", ".join(f"{text}, {n} times" if n > 1 else text for text, n in counts.items())


def _responses(plan: Plan, measures: Measures) -> str:
    """Failures in order of first appearance, with the opening of the first breaker between them."""
    failures = [each for each in measures.story if each.status != 200 and each.share >= LEAST_SHARE]
    chosen = sorted(failures, key=lambda each: -each.requests)[:CAUSES_MAX]
    chosen.sort(key=lambda each: each.first_after_s)
    if not chosen:
        return "every response was 200" if measures.story else ""
    faulted = {fault.target for fault in plan.faults}
    opened = _first_opening(measures)
    if opened is None:
        return _listed([_cause(each, faulted) for each in chosen])
    at_s, link = opened
    before = _listed([_cause(each, faulted) for each in chosen if each.first_after_s < at_s])
    after = _listed([_turned(each, faulted) for each in chosen if each.first_after_s >= at_s])
    turn = f"{'until ' if before else ''}the breaker on {link} opened at {at_s:.1f} s"
    first = ", ".join(part for part in (before, turn) if part)
    return f"{first}; then {after}" if after else first


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _name(story: CauseStory, faulted: set[str]) -> str:
    """``504 timeout``, with the link unless it has a fault."""
    status = str(story.status) if story.status else "no response"
    link = f" on {story.link}" if story.link and story.link not in faulted else ""
    return f"{status} {story.mechanism or 'without a cause'}{link}"


def _cause(story: CauseStory, faulted: set[str]) -> str:
    """``504 timeout after 3.0 s (6.2 %)``."""
    share = percent(story.share)
    return f"{_name(story, faulted)} after {story.first_after_s:.1f} s ({share})"


def _turned(story: CauseStory, faulted: set[str]) -> str:
    """``503 breaker_open in 32 ms (55.6 %)``, with the latency, since a breaker makes failures fast."""
    share = percent(story.share)
    return f"{_name(story, faulted)} in {milliseconds(story.p50_ms)} ({share})"


def _first_opening(measures: Measures) -> tuple[float, str] | None:
    """(seconds after the first fault, link) of the first breaker that opened; None if none did."""
    starts = [f.actual_start_s for f in measures.faults if f.actual_start_s is not None]
    if not starts:
        return None
    opened = [(b.at_s - min(starts), b.link) for b in measures.breakers if b.to_state == "open"]
    return min((each for each in opened if each[0] >= 0), default=None)


def _safety(measures: Measures) -> str:
    readable = [each for each in measures.invariants if not each.error]
    if not readable:
        return ""
    broken = [each for each in readable if each.violations]
    if broken:
        return ", ".join(_broken(each) for each in broken)
    tried = [each for each in readable if each.exposure]
    if not tried:
        return ""
    counted = f"0 violations of the {len(tried)} exercised invariants"
    return ", ".join((*(each.story for each in tried if each.story), counted))


def _broken(invariant: InvariantMeasure) -> str:
    return f"{invariant.violations} violations of {_words(invariant)}"


def _words(invariant: InvariantMeasure) -> str:
    return invariant.name.replace("_", " ")


def _ending(measures: Measures) -> str:
    recovery = measures.recovery
    if recovery.outcome == "recovered" and recovery.after_s is not None:
        return f"goodput recovered {recovery.after_s:.0f} s after the fault"
    if recovery.outcome in ("degraded", "metastable"):
        return f"goodput did not recover ({recovery.outcome}: {recovery.detail})"
    return f"recovery unknown: {recovery.detail}" if recovery.outcome == "unknown" else ""
