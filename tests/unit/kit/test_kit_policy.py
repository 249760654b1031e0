from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from services.kit.failures.problem import Mechanism
from services.kit.policy.findings import Invalid, convert
from services.kit.policy.sections import links_of
from services.shop.policy import IDEMPOTENT_BY, Policy, ShopLinks, faults, load_policy

ROOT = Path(__file__).parents[3]
POLICIES = sorted((ROOT / "policies").glob("*.yaml"))
DEFAULT = ROOT / "policies" / "default.yaml"
ON = "on: [connect_refused, disconnected, connection_reset]"
BACKOFF = "backoff: {kind: exponential_full_jitter, first_ms: 50, max_ms: 400}"

# Which pattern each variant changes, and to what: everything else is as in default.
VARIANTS: dict[str, tuple[str, object]] = {
    "no-semaphore": ("semaphore", None),
    "no-deadline": ("deadline", None),
    "no-timeout": ("timeout_s", None),
    "no-retry": ("retry", None),
    "no-bulkhead": ("bulkhead", None),
    "no-breaker": ("breaker", None),
    "no-lock": ("lock", "none"),
    "process-lock": ("lock", "process"),
    "no-compensation": ("compensation", None),
    "no-degradation": ("degradation", None),
}


def findings_of(folder: Path, text: str) -> list[str]:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid) as invalid:
        load_policy(path)
    return [str(finding).removeprefix(f"{path}:") for finding in invalid.value.findings]


def changed(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """Return the findings of the default policy with the first of each text replaced."""
    text = DEFAULT.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    return findings_of(folder, text)


def line_of(text: str, nth: int = 1) -> int:
    lines = DEFAULT.read_text(encoding="utf-8").splitlines()
    return [at for at, line in enumerate(lines, 1) if text in line][nth - 1]


@pytest.mark.parametrize("path", POLICIES, ids=lambda p: p.stem)
def test_each_policy_is_whole_and_named_like_its_file(path: Path) -> None:
    """Every policy in the folder can be read, and has the name of its file."""
    assert load_policy(path).name == path.stem


def test_every_pattern_has_a_policy_without_it() -> None:
    """The folder holds default and the variants, no more and no less."""
    assert {path.stem for path in POLICIES} == {"default", *VARIANTS}


def without(policy: dict[str, dict[str, dict[str, object]]], key: str, value: object) -> object:
    """Return a policy with ``key`` set to ``value``: its own, and that of every link."""
    links = {
        name: {**link, key: value} if key in link else link
        for name, link in policy["links"].items()
    }
    changed = {**policy, "links": links}
    return {**changed, key: value} if key in policy else changed


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_differs_from_default_in_its_one_pattern(name: str) -> None:
    """Everywhere that pattern is off (or the other lock), and nothing else is changed."""
    key, value = VARIANTS[name]
    default = msgspec.to_builtins(load_policy(DEFAULT))
    expected = without(default, key, value)
    assert expected != default
    variant = msgspec.to_builtins(load_policy(ROOT / "policies" / f"{name}.yaml"))
    assert variant == {**dict(expected), "name": name}  # type: ignore[call-overload]


def test_links_of_a_policy_are_those_of_the_system() -> None:
    """Each link on which a service calls is in the schema: those of links.yaml, less the client's and the spans'."""
    listed = YAML(typ="safe", pure=True).load(ROOT / "proxies" / "links.yaml")["links"]
    callers = {link["name"] for link in listed if link["caller"] not in ("client", "services")}
    assert {field.encode_name for field in msgspec.structs.fields(ShopLinks)} == callers
    assert set(IDEMPOTENT_BY) <= callers


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


def test_what_get_policy_prints_is_the_policy() -> None:
    """Its JSON reads back as the same policy, so that a stack can be compared with a file."""
    for path in POLICIES:
        policy = load_policy(path)
        assert convert(msgspec.json.decode(msgspec.json.encode(policy)), Policy) == policy


def test_no_default_retries_a_timeout() -> None:
    """A payment that timed out was probably charged."""
    for link, section in links_of(load_policy(DEFAULT)).items():
        if section.retry is not None and not link.endswith("-db"):
            assert Mechanism.TIMEOUT not in section.retry.on


def test_every_fault_of_a_file_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    """A misspelt key, a missing one, a wrong unit and a wrong word: four findings with line, path and fix."""
    found = changed(
        tmp_path,
        ("semaphore: {limit: 64}", "semaphore: {limmit: 64}"),
        ("lock: row", "lock: rwo"),
        ("breaker: {failures: 5, reset_s: 5}", "breaker: {failures: 5, reset_s: -5}"),
    )
    semaphore, breaker = line_of("semaphore:"), line_of("breaker: {")
    write = "write it: a policy is complete, and `off` switches a pattern off"
    assert found[:2] == [
        f"{semaphore}: semaphore.limmit: is not known; did you mean limit?; fix: rename it, or remove it",
        f"{semaphore}: semaphore.limit: is missing; fix: {write}",
    ]
    assert any(f.startswith(f"{line_of('lock:')}: lock:") and "'rwo'" in f for f in found)
    assert any(f.startswith(f"{breaker}: links.gateway-inventory.breaker.reset_s:") for f in found)
    assert len(found) == 4


@pytest.mark.parametrize(
    "text", ["", "[]", "name: [", "7", "links: nonsense\n", "a: 1\na: 2\n", "a: \x01", "\ufeff- a"]
)
def test_a_file_that_is_no_policy_is_a_finding(tmp_path: Path, text: str) -> None:
    """Empty, wrong at the root, not YAML, a key twice: findings, never another exception."""
    assert findings_of(tmp_path, text)


def test_bytes_that_are_no_text_are_a_finding(tmp_path: Path) -> None:
    """A file in another encoding, or one that is far too long, is a finding."""
    for raw in (b"name: x\nlock: \xff", b"#" * 200_000):
        path = tmp_path / "policy.yaml"
        path.write_bytes(raw)
        with pytest.raises(Invalid):
            load_policy(path)


def test_a_key_written_twice_names_both_lines(tmp_path: Path) -> None:
    """YAML would take one of the two in silence."""
    (found,) = changed(tmp_path, ("lock: row", "lock: row\nlock: none"))
    first = line_of("lock:")
    assert found.startswith(f"{first + 1}: lock: is written again (first on line {first})")


@pytest.mark.parametrize(
    ("backoff", "found"),
    [
        ("{first_ms: 50, max_ms: 400}", "backoff.kind: is missing; one of fixed, exponential"),
        ("{kind: exponental, first_ms: 50, max_ms: 400}", "did you mean exponential?"),
        ("{kind: fixed, first_ms: 50}", "backoff.first_ms: is not known"),
        ("{kind: fixed}", "backoff.pause_ms: is missing"),
        ("{kind: exponential, first_ms: 500, max_ms: 400}", "is 500, more than max_ms (400)"),
        ("{kind: [fixed]}", "backoff.kind: is not known"),
        ("jitter", "found 'jitter'"),
    ],
)
def test_a_backoff_says_which_kind_it_is(tmp_path: Path, backoff: str, found: str) -> None:
    """Each kind has settings of its own; what belongs to another kind is a fault."""
    findings = changed(tmp_path, (BACKOFF, f"backoff: {backoff}"))
    assert any(found in each for each in findings), findings


@pytest.mark.parametrize(
    ("mechanism", "why"),
    [
        ("breaker_open", "an open breaker asks for quiet"),
        ("bulkhead_full", "asks for fewer calls"),
        ("deadline", "no time is left"),
        ("sold_out", "this is an answer, and would be the same again"),
        ("payment_declined", "this is an answer"),
    ],
)
def test_what_must_not_be_repeated_cannot_be_listed(
    tmp_path: Path, mechanism: str, why: str
) -> None:
    """Such a policy is refused, with the reason."""
    (found,) = changed(tmp_path, (ON, f"on: [connect_refused, {mechanism}]"))
    on = line_of(ON)
    assert found.startswith(f"{on}: links.reservations-inventory.retry.on: {mechanism}: ")
    assert why in found


def test_an_indefinite_failure_is_repeated_only_where_the_callee_would_notice() -> None:
    """Without idempotency the default's lost connections are refused; a refused connection did nothing."""
    found = [*faults(load_policy(DEFAULT), {**IDEMPOTENT_BY, "reservations-payments": None})]
    assert {finding.where for finding in found} == {"links.reservations-payments.retry.on"}
    named = sorted(finding.message.partition(":")[0] for finding in found)
    assert named == ["connection_reset", "disconnected"]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("inventory-db: {retry: off}", "inventory-db: {{retry: {retry}}}", "must be off"),
        ("attempts: 2", "attempts: 1", "the first attempt is no retry"),
        (ON, "on: []", "nothing would be repeated"),
        ("on: [pool_exhausted,", "on: [disconnected,", "a statement never fails by it"),
    ],
)
def test_a_setting_without_effect_is_refused(
    tmp_path: Path, before: str, after: str, found: str
) -> None:
    """A setting that would change nothing must not look as if it did."""
    retry = f"{{attempts: 2, on: [timeout], {BACKOFF}, budget: off}}"
    after = after.format(retry=retry) if "{retry}" in after else after
    findings = changed(tmp_path, (before, after))
    assert any(found in each for each in findings), findings
