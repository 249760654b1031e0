"""`docker compose --profile load up`: Locust's pages and workers in containers, on the stack of these tests."""

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
    """Address of Locust's page; its containers are gone afterwards, and the stack is as it was."""
    stack.compose(
        "--profile", "load", "up", "--wait", "--scale", f"load-worker={WORKERS}", *PARTS[:2]
    )
    yield f"http://{stack.address('load', 8089)}"
    stack.compose("--profile", "load", "rm", "--stop", "--force", *PARTS)


def told(page: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{page}/stats/requests", timeout=5).json()
    return found


def test_a_load_is_started_from_the_page_and_shared_by_the_workers(page: str) -> None:
    """As somebody does with a mouse: every arrival of the schedule is answered, none is a failure; and once more."""
    assert len(told(page)["workers"]) == WORKERS
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
    """Wait until Locust's page counts so many answers, all good, and says that it has stopped; which rows it has."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        now = told(page)
        rows = {each["name"]: each for each in now["stats"]}
        done = rows["Aggregated"]["num_requests"]
        if now["state"] == "stopped" and done >= requests_wanted:
            assert (done, rows["Aggregated"]["num_failures"]) == (requests_wanted, 0)
            return set(rows)
        assert time.monotonic() < deadline, now
        time.sleep(0.5)
