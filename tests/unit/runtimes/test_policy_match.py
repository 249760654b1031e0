"""Comparing the policy of a running service with the wanted one."""

from pathlib import Path

import msgspec
import pytest

from aguante.runtimes.attach.policy_match import difference, read_policy
from services.shop.policy import load_policy

POLICIES = sorted((Path(__file__).parents[3] / "policies").glob("*.yaml"))


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_the_same_policy_in_another_notation_is_no_difference(path: Path) -> None:
    """``off`` equals null, a tuple equals a list, and an integer equals the same float."""
    configured = msgspec.json.decode(msgspec.json.encode(load_policy(path)))
    assert difference(read_policy(path), configured) == ""


@pytest.mark.parametrize("other", [each for each in POLICIES if each.stem != "default"])
def test_every_other_policy_differs_even_under_the_same_name(other: Path) -> None:
    """The values are compared, not the names."""
    wanted = msgspec.json.decode(
        msgspec.json.encode(load_policy(POLICIES[0].parent / "default.yaml"))
    )
    configured = msgspec.json.decode(msgspec.json.encode(load_policy(other))) | {"name": "default"}
    assert difference(wanted, configured) != ""


@pytest.mark.parametrize(
    ("wanted", "configured", "where"),
    [
        ({"a": {"limit": 64}}, {"a": {"limit": 32}}, "a.limit is 32, not 64"),
        ({"a": {"limit": 64}}, {"a": None}, "a is off, not {limit: 64}"),
        ({"a": "off"}, {"a": {"limit": 1}}, "a is {limit: 1}, not off"),
        ({"on": ["x"]}, {"on": ["x", "y"]}, "on is ['x', 'y'], not ['x']"),
        ({"a": 1}, {}, "a is off, not 1"),
    ],
)
def test_the_first_difference_is_reported_with_its_path(
    wanted: object, configured: object, where: str
) -> None:
    """The message has a dotted path, the actual value and the wanted one."""
    assert difference(wanted, configured) == where


def test_additional_keys_are_the_services_defaults() -> None:
    """Additional keys in the service's response are ignored."""
    assert difference({"a": 1}, {"a": 1.0, "b": 2}) == ""
