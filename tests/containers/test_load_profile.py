"""The profile `load`: Locust's page and workers in containers, on the stack of these tests."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from stack_harness import Stack

pytestmark = [
    pytest.mark.alone,
    pytest.mark.container,
    pytest.mark.long("containers are started, from images that must be built first"),
]

WORKERS, RATE_RPS, LASTS_S, LIMIT_S = 2, 20, 5, 30.0
PARTS = ("load", "load-worker", "load-stock")


@pytest.fixture(scope="module")
def page(stack: Stack) -> Iterator[str]:
    """The address of Locust's page; its containers are removed afterwards."""
    stack.compose(
        "--profile", "load", "up", "--wait", "--scale", f"load-worker={WORKERS}", *PARTS[:2]
    )
    yield f"http://{stack.address('load', 8089)}"
    stack.compose("--profile", "load", "rm", "--stop", "--force", *PARTS)


def said(page: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{page}/stats/requests", timeout=5).json()
    return found


def test_a_load_is_started_from_the_page_and_shared_by_the_workers(page: str) -> None:
    """Two loads, started as the page does, complete every arrival of the schedule without a failure."""
    assert len(said(page)["workers"]) == WORKERS
    for loads in (1, 2):
        form = {
            "user_count": "1",
            "spawn_rate": "1",
            "rate_rps": str(RATE_RPS),
            "arrivals": "fixed",
            "run_time": f"{LASTS_S}s",
        }
        assert requests.post(f"{page}/swarm", form, timeout=10).json()["success"]
        counted = until_counted(page, RATE_RPS * LASTS_S)
        assert counted == {"/reserve", "/events/{id}", "Aggregated"}, loads


def until_counted(page: str, requests_wanted: int) -> set[str]:
    """Wait until Locust has stopped with this many successful responses; return the rows of its table."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        now = said(page)
        rows = {each["name"]: each for each in now["stats"]}
        done = rows["Aggregated"]["num_requests"]
        if now["state"] == "stopped" and done >= requests_wanted:
            assert (done, rows["Aggregated"]["num_failures"]) == (requests_wanted, 0)
            return set(rows)
        assert time.monotonic() < deadline, now
        time.sleep(0.5)
