"""Names that an experiment uses and others own: links, services, mechanisms, policies, invariants.

Checks walk the data as written, and leave values of a wrong type to the shape check, so that both
kinds of fault are reported in one go.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite

from aguante.core.findings import Problem, did_you_mean, one_of, shortened
from aguante.experiment.process_rules import process_problems
from aguante.experiment.pumba_rules import pumba_problems
from aguante.experiment.toxic_rules import toxic_problems
from aguante.testbed.testbed_spec import TestbedSpec

Path_ = tuple[str | int, ...]
Names = Mapping[str, tuple[str, ...]]
"""Key of an expectation -> the names it may have."""


def reference_problems(data: Mapping[str, object], testbed: TestbedSpec) -> list[Problem]:
    """Every name in the document that its owner does not know."""
    return [
        *_policy(data, testbed),
        *_replicas(data, testbed),
        *_load(data, testbed),
        *_faults(data, testbed),
        *_clauses(data, testbed),
        *_invariants(data, testbed),
    ]


def mappings(data: Mapping[str, object], key: str) -> Iterator[tuple[Path_, Mapping[str, object]]]:
    """The items of the list at ``key`` that are mappings, each with its path."""
    items = data.get(key)
    for at, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield (key, at), item


def inner(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    """The mapping at ``key``; empty where there is none."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def finite(value: object) -> float | None:
    """A number that one can count with; None for anything else, which the shape check reports."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good and isfinite(value) else None  # type: ignore[arg-type]


def expectations(data: Mapping[str, object]) -> Iterator[tuple[Path_, str, Mapping[str, object]]]:
    """(path, kind, mapping) of everything below ``expect`` and ``abort_when``."""
    for key in ("expect", "abort_when"):
        for path, clause in mappings(data, key):
            for kind in clause:
                yield (*path, kind), kind, inner(clause, kind)


def _unknown(path: Path_, value: object, known: Iterable[str], otherwise: str) -> Iterator[Problem]:
    names = tuple(known)
    if isinstance(value, str) and value not in names:
        yield Problem(path, shortened(value), one_of(names), did_you_mean(value, names, otherwise))


def _policy(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    hint = f"add {testbed.policies.name}/<name>.yaml, or choose one that is there"
    yield from _unknown(("policy",), data.get("policy", "default"), testbed.policy_names, hint)


def _replicas(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    services = [service.name for service in testbed.services]
    for name in inner(data, "replicas"):
        yield from _unknown(("replicas", name), name, services, "see testbed.yaml")


def _load(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    load = inner(data, "load")
    profiles, operations = testbed.load.profiles, testbed.load.operations
    if profiles:
        yield from _unknown(("load", "profile"), load.get("profile"), profiles, "see loadtests/")
    for operation in inner(load, "mix") if operations else ():
        yield from _unknown(("load", "mix", operation), operation, operations, "see loadtests/")


def _faults(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    links = [link.name for link in testbed.links]
    seen: set[object] = set()
    for path, fault in mappings(data, "faults"):
        name = fault.get("id")
        if isinstance(name, str) and name in seen:
            yield Problem((*path, "id"), f"the id {name} again", "an id of its own", "rename one")
        seen.add(name if isinstance(name, str) else None)
        replicas = inner(data, "replicas")
        process, pumba = inner(fault, "process"), inner(fault, "pumba")
        yield from process_problems((*path, "process"), process, testbed, replicas)
        yield from pumba_problems((*path, "pumba"), pumba, testbed, replicas)
        section, at = inner(fault, "toxiproxy"), (*path, "toxiproxy")
        yield from _unknown((*at, "link"), section.get("link"), links, "see proxies/links.yaml")
        yield from toxic_problems(at, section)


def _clauses(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    names: Names = {
        "link": tuple(link.name for link in testbed.call_links),
        "origin": (*(service.name for service in testbed.services), "client"),
        "mechanism": (*testbed.mechanisms, *testbed.client_mechanisms),
        "operation": tuple(inner(inner(data, "load"), "mix")),
    }
    hints = {"operation": "only operations of load.mix are asked for"}
    for path, _, mapping in expectations(data):
        for key, known in names.items():
            if key in mapping and known:
                hint = hints.get(key, "see testbed.yaml")
                yield from _unknown((*path, key), mapping[key], known, hint)


def _invariants(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    wanted = data.get("invariants")
    names = [each.name for each in testbed.invariants]
    for at, name in enumerate(wanted if isinstance(wanted, list) else ()):
        yield from _unknown(("invariants", at), name, names, "see testbed.yaml")
