"""Whether a service runs with the policy that is wanted: by value, and the first difference is told."""

from pathlib import Path

import msgspec
import pytest

from aguante.runtimes.attach.policy_match import difference, read_policy
from services.shop.policy import load_policy

POLICIES = sorted((Path(__file__).parents[3] / "policies").glob("*.yaml"))


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_what_a_service_tells_of_its_own_file_is_no_difference(path: Path) -> None:
    """``off`` is null on the wire, a sequence a list, a whole number may have become a float."""
    told = msgspec.json.decode(msgspec.json.encode(load_policy(path)))
    assert difference(read_policy(path), told) == ""


@pytest.mark.parametrize("other", [each for each in POLICIES if each.stem != "default"])
def test_every_other_policy_differs_even_under_the_same_name(other: Path) -> None:
    """Its values are compared, not what it calls itself."""
    wanted = msgspec.json.decode(
        msgspec.json.encode(load_policy(POLICIES[0].parent / "default.yaml"))
    )
    told = msgspec.json.decode(msgspec.json.encode(load_policy(other))) | {"name": "default"}
    assert difference(wanted, told) != ""


@pytest.mark.parametrize(
    ("wanted", "told", "where"),
    [
        ({"a": {"limit": 64}}, {"a": {"limit": 32}}, "a.limit is 32, not 64"),
        ({"a": {"limit": 64}}, {"a": None}, "a is off, not {limit: 64}"),
        ({"a": "off"}, {"a": {"limit": 1}}, "a is {limit: 1}, not off"),
        ({"on": ["x"]}, {"on": ["x", "y"]}, "on is ['x', 'y'], not ['x']"),
        ({"a": 1}, {}, "a is off, not 1"),
    ],
)
def test_the_first_difference_is_told_with_its_place(
    wanted: object, told: object, where: str
) -> None:
    """By a dotted path, what the service has and what it should."""
    assert difference(wanted, told) == where


def test_what_a_service_tells_beyond_the_file_is_its_own_default() -> None:
    """A foreign system may say more of itself than its file does."""
    assert difference({"a": 1}, {"a": 1.0, "b": 2}) == ""
