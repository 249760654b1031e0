"""Thousands of hostile inputs to each real service at its own address: none breaks and none leaks.

``python -m stress.hostile --inputs 100000`` plays more of them.
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
from stress.hostile.attack import UnfitResponseError
from stress.hostile.inputs import Input, hostile_inputs
from stress.hostile.raw_connection import Response
from stress.hostile.soak import processes, soak
from stress.hostile.targets import EVENT, TEMPLATES

INPUTS = {
    "gateway": 2_000,
    "reservations": 500,
    "inventory": 500,
    "payments": 500,
    "notifications": 500,
}
WARM_UP = 300
LONG = pytest.mark.long("thousands of inputs to each service of a testbed")
ALL_KINDS = {200, 400, 404, 405, 413, 415, 422}


@dataclass(frozen=True)
class Shop:
    """The real testbed, with an event, and the collector of its spans."""

    testbed: Testbed
    collector: Collector


@pytest.fixture(scope="module")
async def attacked(
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


def as_described(sent: Input, response: Response) -> None:
    """Check a response of the gateway against its OpenAPI description."""
    head = response.headers
    try:
        hold(sent.method, sent.path, response.status, head, response.body)
    except (AssertionError, KeyError, jsonschema.ValidationError) as why:
        raise UnfitResponseError(str(why)) from why


@LONG
@pytest.mark.parametrize("name", INPUTS)
async def test_hostile_inputs_break_nothing_and_leave_nothing(attacked: Shop, name: str) -> None:
    """Complete responses, no 500; afterwards no growth in memory, files or labels, and no error in the log."""
    process = next(each for each in processes(attacked.testbed) if each.name == name)
    check = as_described if name == "gateway" else None
    result = await soak(process, INPUTS[name], seed=11, warm_up=WARM_UP, check=check)
    assert result.outcome.faults == []
    assert result.objections == ()
    assert set(result.outcome.statuses) >= ALL_KINDS, "the inputs vary too little to prove anything"


@LONG
async def test_every_span_of_it_was_exported(attacked: Shop) -> None:
    """No input becomes a span that protobuf cannot encode, which would lose its whole batch."""
    assert attacked.collector.requests > 0
    async with aiohttp.ClientSession() as session:
        for process in processes(attacked.testbed):
            async with session.get(f"http://{process.host}:{process.port}/metrics") as response:
                text = await response.text()
            (failed,) = re.findall(r'spans_dropped_total\{reason="export_failed"\} (\S+)', text)
            assert float(failed) == 0, process.name


@LONG
def test_schemathesis_finds_nothing_in_the_real_system(attacked: Shop, tmp_path: Path) -> None:
    """Through the entry link, as a client."""
    gateway = attacked.testbed.gateway
    assert findings(gateway, tmp_path, examples=5, without=STATE_IS_KEPT) == ""


def test_the_same_seed_gives_the_same_inputs() -> None:
    """A seed repeats its attack, and another seed gives a different one."""
    one, same, other = (
        [each.data for each in itertools.islice(hostile_inputs(TEMPLATES["gateway"], seed), 200)]
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other
