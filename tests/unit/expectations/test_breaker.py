"""``breaker``: when it opened and closed."""

import pytest

from aguante.expectations.breaker import BreakerTimes, BreakerTransition, breaker_times


def changes(*seen: tuple[float, str, str]) -> list[BreakerTransition]:
    return [
        BreakerTransition(
            at_s=at_s, service="s", instance=instance, link="a-b", from_state="", to_state=to
        )
        for at_s, instance, to in seen
    ]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], (None, None)),
        ([(2.0, "1", "open"), (3.0, "1", "closed")], (None, None)),
        ([(11.0, "1", "open")], (3.0, None)),
        ([(11.0, "1", "open"), (22.0, "1", "half_open"), (22.5, "1", "closed")], (3.0, 2.5)),
        ([(11.0, "1", "open"), (15.0, "1", "closed")], (3.0, 0.0)),
        ([(11.0, "1", "open"), (22.0, "1", "closed"), (23.0, "1", "open")], (3.0, None)),
        (
            [
                (11.0, "1", "open"),
                (12.0, "2", "open"),
                (21.0, "1", "closed"),
                (24.0, "2", "closed"),
            ],
            (3.0, 4.0),
        ),
        ([(11.0, "1", "open"), (12.0, "2", "open"), (21.0, "1", "closed")], (3.0, None)),
    ],
)
def test_a_breaker_opens_with_its_first_instance_and_closes_with_its_last(
    seen: list[tuple[float, str, str]], expected: tuple[float | None, float | None]
) -> None:
    """The fault lasts from 8 to 20 s. Earlier changes do not count; a breaker that is open at the end never closed."""
    assert breaker_times(changes(*seen), 8.0, 20.0) == BreakerTimes(*expected)
