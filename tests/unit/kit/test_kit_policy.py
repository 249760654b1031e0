from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from services.kit.findings import Invalid
from services.kit.policy import HttpLinks, load_policy
from services.kit.problem import Mechanism

ROOT = Path(__file__).parents[3]
DEFAULT = ROOT / "policies" / "default.yaml"


def findings_of(folder: Path, text: str) -> list[str]:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid) as invalid:
        load_policy(path)
    return [str(finding) for finding in invalid.value.findings]


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.yaml")), ids=lambda p: p.stem)
def test_each_policy_is_whole_and_named_like_its_file(path: Path) -> None:
    """Every policy in the folder can be read, and says the name it goes by."""
    assert load_policy(path).name == path.stem


def test_links_of_a_policy_are_those_of_the_system() -> None:
    """Each link on which a service calls is in the schema: those of links.yaml, less the client's."""
    listed = YAML(typ="safe", pure=True).load(ROOT / "proxies" / "links.yaml")["links"]
    callers = {link["name"] for link in listed if link["caller"] != "client"}
    assert {field.encode_name for field in msgspec.structs.fields(HttpLinks)} == callers


def test_defaults_are_those_of_the_design() -> None:
    """The numbers that every page of the documentation quotes."""
    policy = load_policy(DEFAULT)
    assert policy.semaphore is not None
    assert policy.deadline is not None
    assert (policy.semaphore.limit, policy.deadline.total_s, policy.lock) == (64, 5, "row")
    links = policy.links
    assert links.gateway_reservations.breaker is None
    timeouts_s = (links.reservations_inventory, links.reservations_payments)
    assert [link.timeout_s for link in timeouts_s] == [2, 3]
    assert links.reservations_notifications.timeout_s == 2


def test_no_default_retries_a_timeout_or_an_open_breaker() -> None:
    """A payment that timed out was probably charged; an open breaker wants quiet."""
    for link in msgspec.structs.astuple(load_policy(DEFAULT).links)[:5]:
        repeated = () if link.retry is None else link.retry.on
        assert Mechanism.TIMEOUT not in repeated
        assert Mechanism.BREAKER_OPEN not in repeated


def test_no_breaker_differs_from_default_in_its_breakers_alone() -> None:
    """What an experiment shows with the two is what the breakers are worth."""
    default = load_policy(DEFAULT)
    links = {
        field.name: (
            msgspec.structs.replace(link, breaker=None) if hasattr(link, "breaker") else link
        )
        for field in msgspec.structs.fields(HttpLinks)
        for link in [getattr(default.links, field.name)]
    }
    expected = msgspec.structs.replace(default, name="no-breaker", links=HttpLinks(**links))
    assert load_policy(ROOT / "policies" / "no-breaker.yaml") == expected


def test_every_fault_of_a_file_is_reported_at_once(tmp_path: Path) -> None:
    """A misspelt key, a missing one, a wrong unit and a wrong word are four findings with their paths."""
    text = DEFAULT.read_text(encoding="utf-8")
    text = text.replace("semaphore: {limit: 64}", "semaphore: {limmit: 64}")
    text = text.replace("lock: row", "lock: rwo")
    text = text.replace(
        "breaker: {failures: 5, reset_s: 5}", "breaker: {failures: 5, reset_s: -5}", 1
    )
    found = findings_of(tmp_path, text)
    assert "semaphore.limmit: is not known; did you mean limit?" in found
    assert "semaphore.limit: is missing" in found
    assert any(f.startswith("links.gateway-inventory.breaker.reset_s:") for f in found)
    assert any(f.startswith("lock:") and "'rwo'" in f for f in found)
    assert len(found) == 4


@pytest.mark.parametrize("text", ["", "[]", "name: [", "7", "links: nonsense\n", "a: 1\na: 2\n"])
def test_a_file_that_is_no_policy_is_a_finding(tmp_path: Path, text: str) -> None:
    """Empty, wrong at the root, not YAML, a key twice: findings, never another exception."""
    assert findings_of(tmp_path, text)
