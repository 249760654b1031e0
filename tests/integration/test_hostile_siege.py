"""Thousands of hostile inputs to the real system, each service at its own address: none breaks, none leaks.

The long one, by hand: ``python -m stress.hostile --inputs 100000``.
"""

import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import jsonschema
import pytest
from openapi_contract import hold
from schemathesis_run import STATE_IS_KEPT, findings

from aguante.collect.otlp_collector import Collector
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import TestbedSpec
from stress.hostile.attack import UnfitAnswerError
from stress.hostile.inputs import Input, hostile_inputs
from stress.hostile.siege import besiege, processes
from stress.hostile.targets import EVENT, TEMPLATES
from stress.hostile.wire import Answer

INPUTS = {
    "gateway": 2_000,
    "reservations": 500,
    "inventory": 500,
    "payments": 500,
    "notifications": 500,
}
WARM_UP = 300
ALL_KINDS = {200, 400, 404, 405, 413, 415, 422}


@dataclass(frozen=True)
class Shop:
    """The real testbed, with an event, and a collector that takes its spans."""

    testbed: Testbed
    collector: Collector


@pytest.fixture(scope="module")
async def besieged(
    own_parent: Path, shop_spec: TestbedSpec, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """One testbed for this module."""
    spans = tmp_path_factory.mktemp("spans") / "spans"
    async with (
        Collector(spans) as collector,
        NativeRuntime(own_parent).running(shop_spec, "default", collector.endpoint) as testbed,
        aiohttp.ClientSession(raise_for_status=True) as session,
    ):
        inventory = next(each.url for each in testbed.services if each.name == "inventory")
        for event_id in (EVENT, "concert"):
            async with session.put(f"{inventory}/events/{event_id}", json={"capacity": 10_000_000}):
                pass
        yield Shop(testbed, collector)


def as_described(sent: Input, answer: Answer) -> None:
    """Hold an answer of the gateway against its own description."""
    head = answer.headers
    try:
        hold(sent.method, sent.path, answer.status, head, answer.body)
    except (AssertionError, KeyError, jsonschema.ValidationError) as why:
        raise UnfitAnswerError(str(why)) from why


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
async def test_hostile_inputs_break_nothing_and_leave_nothing(besieged: Shop, name: str) -> None:
    """Complete answers, problems, no 500; afterwards no memory, file or label more, and a clean log."""
    process = next(each for each in processes(besieged.testbed) if each.name == name)
    check = as_described if name == "gateway" else None
    siege = await besiege(process, INPUTS[name], seed=11, warm_up=WARM_UP, hold=check)
    assert siege.outcome.faults == []
    assert siege.objections == ()
    assert set(siege.outcome.statuses) >= ALL_KINDS, "the inputs became too dull to prove anything"


async def test_every_span_of_it_was_exported(besieged: Shop) -> None:
    """No input becomes a span that protobuf cannot carry: one would cost its whole batch."""
    assert besieged.collector.requests > 0
    async with aiohttp.ClientSession() as session:
        for process in processes(besieged.testbed):
            async with session.get(f"http://{process.host}:{process.port}/metrics") as answer:
                text = await answer.text()
            (failed,) = re.findall(r'spans_dropped_total\{reason="export_failed"\} (\S+)', text)
            assert float(failed) == 0, process.name


@pytest.mark.slow
def test_schemathesis_finds_nothing_in_the_real_system(besieged: Shop, tmp_path: Path) -> None:
    """Through the entry link, as a client: everything behind it is real."""
    gateway = besieged.testbed.gateway
    assert findings(gateway, tmp_path, examples=5, without=STATE_IS_KEPT) == ""


def test_the_same_seed_gives_the_same_inputs() -> None:
    """What a seed found can be found again, and another seed is another attack."""
    one, same, other = (
        [each.data for each in itertools.islice(hostile_inputs(TEMPLATES["gateway"], seed), 200)]
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other
