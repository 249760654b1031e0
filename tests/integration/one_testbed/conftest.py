"""One testbed with the default policy for all modules of this folder: each leaves it whole and settled."""

from collections.abc import AsyncIterator

import pytest
from native_harness import private_folder
from race_harness import Shop, shop_on

from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.testbed_spec import TestbedSpec


@pytest.fixture(scope="session")
async def runtime(shop_spec: TestbedSpec) -> AsyncIterator[NativeRuntime]:
    """The runtime of the testbed, which is up."""
    with private_folder() as parent:
        runtime = NativeRuntime(parent)
        async with runtime.running(shop_spec, "default"):
            yield runtime


@pytest.fixture(scope="module")
async def shop(
    runtime: NativeRuntime, shop_spec: TestbedSpec, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """The testbed with a client that keeps a ledger of this module."""
    async with shop_on(shop_spec, runtime, tmp_path_factory.mktemp("audit")) as shop:
        yield shop
