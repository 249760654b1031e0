"""Any file gives findings or a plan, never a traceback."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aguante.cli.render.plan_text import preview
from aguante.core.yaml_document import read_document
from aguante.experiment import InvalidExperiment, load_experiment
from aguante.plan.build import build_plan
from aguante.testbed.policy_file import timeouts_s
from aguante.testbed.testbed_spec import TestbedSpec

RICH = """\
name: rich
title: One of everything
learn: That anything may stand anywhere.
policy: default
replicas: {payments: 2}
vars: {slow_ms: 3500}
seed: 1
setup: {events: 2, capacity: 100000}
load: {profile: spike, rate_rps: 60, to_rps: 90, at_s: 1, for_s: 2, mix: {reserve: 0.75, read_event: 0.25}}
phases: {warmup_s: 2, baseline_s: 6, fault_s: 12, recovery_s: 10}
faults:
  - id: slow
    start_s: 1
    duration_s: 2
    repeat: {times: 2, every_s: 3}
    toxiproxy: {link: reservations-payments, toxic: latency, latency_ms: "${slow_ms}", jitter_ms: 200, toxicity: 0.5}
  - {id: dead, process: {service: payments, action: kill, instance: payments-1}}
  - {id: far, pumba: {service: inventory, command: netem delay, delay_ms: 10, jitter_ms: 5, distribution: normal}}
expect:
  - rate: {phase: fault, after_s: 1, operation: reserve, status: 5xx, origin: gateway, mechanism: timeout, min: 0.1}
  - latency: {phase: fault, of_status: 200, p95_ms_max: 100}
  - breaker: {link: reservations-payments, opens_within_s: 5, closes_within_s: 3}
  - goodput: {phase: fault, min_of_baseline: 0.1}
  - promql: {query: up, phase: fault, min: 1}
invariants: [seats_add_up]
abort_when:
  - rate: {phase: baseline, status: [200, 4xx], max: 0.5}
tags: [a]
"""

Step = tuple[str | int, ...]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**60), 10**60),
    st.sampled_from([0, -1, 10**400, math.inf, -math.inf, math.nan, 1e308, 5e-324]),
    st.floats(),
    st.text(st.characters(codec="utf-8"), max_size=20).filter(
        lambda text: not re.search("pydantic|should|None", text)  # else a message repeats it
    ),
    st.sampled_from(["${slow_ms}", "${nobody}", "../etc", "[red]x[/]", "9" * 5000, "0b1", "1:30"]),
    st.recursive(
        st.none() | st.integers(-2, 2) | st.sampled_from(["a", ""]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["a", "min", "s"]), inner, max_size=3)
        ),
        max_leaves=4,
    ),
)
BITS = [
    *"%!&*|>-?:,[]{}#@`'\"\\ \n\t~<=.019eE_ax/+\r\x00\x85é😀",
    *("%YAML 1.1\n", "%YAML 1.3\n", "%TAG ! tag:e,2000:\n", "---\n", "...\n", "<<: ", "? ", "&a "),
    *("!!int ", "!!float ", "!!bool ", "!!binary ", "!x ", "0x", "0b1", ".inf", "|+2", "\ufeff"),
]
PYTHONS_WORDS = re.compile(r"pydantic|[Ii]nput should|NoneType|found None")


def places(data: object, at: Step = ()) -> Iterator[Step]:
    """Every path of a document."""
    yield at
    pairs = data.items() if isinstance(data, dict) else []
    pairs = enumerate(data) if isinstance(data, list) else pairs
    for step, inner in pairs:
        yield from places(inner, (*at, step))


def put(data: object, at: Step, value: object) -> object:
    """The document with another value at a path."""
    if not at:
        return value
    assert isinstance(data, dict | list)
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[at[0]] = put(copy[at[0]], at[1:], value)  # type: ignore[index]
    return copy


def written(value: object) -> str:
    """A document as YAML on one line."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{json.dumps(key)}: {written(each)}" for key, each in value.items())
        return f"{{{pairs}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return json.dumps(value, ensure_ascii=False)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("any") / "any.yaml"
    path.write_text(RICH, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def rich(file: Path) -> object:
    return read_document(file).data


def said(file: Path, text: str, shop: TestbedSpec) -> list[str]:
    """Return the findings of a file; a valid one can be planned and shown."""
    file.write_text(text, encoding="utf-8", newline="")
    try:
        experiment = load_experiment(file, shop)
    except InvalidExperiment as invalid:
        return [str(each) for each in invalid.findings] or ["refused without a word"]
    plan = build_plan(experiment, shop, run_id="plan", seed=0, source=str(file))
    assert preview(plan, timeouts_s(shop.policies / f"{plan.policy}.yaml"), 30.0)
    assert plan.model_validate_json(plan.model_dump_json()) == plan
    return []


def illegible(messages: list[str]) -> list[str]:
    """Return the messages that mention Python, break a line, or give no fix."""
    return [
        each
        for each in messages
        if PYTHONS_WORDS.search(each) or not each.isprintable() or "; fix: " not in each
    ]


def test_the_file_that_is_changed_is_valid(file: Path, shop: TestbedSpec) -> None:
    """The file that the mutations start from contains one of everything, and is valid."""
    assert said(file, RICH, shop) == []


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_anything_anywhere_is_a_finding_or_a_plan(
    data: st.DataObject, file: Path, rich: object, shop: TestbedSpec
) -> None:
    """One value of a valid file replaced by any other: it is refused with findings, or it can be planned."""
    at = data.draw(st.sampled_from(list(places(rich))))
    assert not illegible(said(file, written(put(rich, at, data.draw(ODD))), shop))


@settings(max_examples=250, deadline=None)
@example(changes=[(0, 0, "%YAML 1.1\n---\n")])
@example(changes=[(0, 0, "%YAML 1.3\n---\n")])
@example(changes=[(0, 0, "%YAML 1.3\n---\n"), (0, 0, "\ufeff\ufeff")])
@example(changes=[(RICH.index("2, mix"), 1, "1.0e-30")])
@example(changes=[(RICH.index("60,"), 2, "0b11")])
@example(changes=[(RICH.index("60,"), 0, "!!float x")])
@example(changes=[(RICH.index("60,"), 2, "9" * 5000)])
@example(changes=[(len(RICH), 0, "f:1=...\n")])
@example(changes=[(0, 0, "&a "), (RICH.index("policy") + 3, 0, "&a ")])
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(RICH)), st.integers(0, 20), st.sampled_from(BITS)),
        min_size=1,
        max_size=4,
    )
)
def test_any_text_is_a_finding_or_a_plan(
    changes: list[tuple[int, int, str]], file: Path, shop: TestbedSpec
) -> None:
    """Characters of a valid file are replaced by text with a meaning in YAML: findings, or a plan."""
    text = RICH
    for at, length, bit in changes:
        text = text[:at] + bit + text[at + length :]
    assert not illegible(said(file, text, shop))
