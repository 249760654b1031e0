"""The pure decisions inside the measures: how a breaker and a recovery went."""

import pytest

from aguante.expectations.breaker import BreakerTimes, BreakerTransition, breaker_times
from aguante.expectations.recovery import recovery_of


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
    """Fault from 8 to 20 s. What came before it does not count; one that is open at the end never closed."""
    assert breaker_times(changes(*seen), 8.0, 20.0) == BreakerTimes(*expected)


@pytest.mark.parametrize(
    ("shares", "during", "outcome"),
    [
        ([0.2, 1.0, 1.0, 1.0], 0.2, "recovered"),
        ([0.2, 0.2, 0.2, 0.2], 0.2, "metastable"),
        ([0.2, 0.5, 0.8, 0.8, 0.8], 0.2, "degraded"),
        ([0.2, 0.2, 0.2], None, "degraded"),
        ([1.0, 1.0], 0.2, "unknown"),
    ],
)
def test_a_recovery_has_one_of_four_outcomes(
    shares: list[float], during: float | None, outcome: str
) -> None:
    """Stuck near the fault's goodput is metastable; better, but not back, is degraded."""
    assert recovery_of(shares, 1.0, during).outcome == outcome
