"""``recovery``: how goodput came back."""

import pytest

from aguante.expectations.recovery import recovery_of


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
    """Goodput that stays near the fault's is metastable; better, but below the baseline, is degraded."""
    assert recovery_of(shares, 1.0, during).outcome == outcome
