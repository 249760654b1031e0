"""A valid load plan, with changes."""

import msgspec

from aguante.load_protocol.records import LoadPlan

PLAN = LoadPlan(
    base_url="http://127.0.0.1:6000",
    profile="mixed",
    arrivals="fixed",
    rate_rps=60.0,
    duration_s=10.0,
    mix={"reserve": 0.75, "read_event": 0.25},
    event_ids=["event-a", "event-b"],
    seed=7,
    timeout_s=7.0,
    run_id="20260101-slow-ab12",
    experiment="payments-slow",
    phases=[("baseline", 0.0, 4.0), ("fault", 4.0, 8.0)],
    records_path="requests.jsonl",
)


def plan(**changed: object) -> LoadPlan:
    return msgspec.structs.replace(PLAN, **changed)
