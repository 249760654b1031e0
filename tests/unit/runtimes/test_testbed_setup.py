"""The body of the setup request."""

from aguante.load.seed_events import body_of
from aguante.testbed.testbed_spec import SetupRequest


def test_a_placeholder_that_stands_alone_keeps_its_type() -> None:
    """A placeholder that is the whole value becomes a number; within text it becomes text."""
    body: dict[str, int | str] = {"capacity": "{capacity}", "name": "event {event_id}", "floor": 2}
    request = SetupRequest(service="inventory", method="PUT", path="/", body=body)
    assert body_of(request, {"event_id": "e-1", "capacity": 100}) == {
        "capacity": 100,
        "name": "event e-1",
        "floor": 2,
    }
