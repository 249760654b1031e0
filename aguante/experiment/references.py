"""Names that an experiment uses and the testbed owns: policies, services, operations, mechanisms, invariants.

The checks walk the data as written and leave values of a wrong type to the shape check, so that one pass
reports both.
"""

from collections.abc import Iterator, Mapping
from math import isfinite

from aguante.core.findings import FilePath, Problem, unknown_name
from aguante.testbed.testbed_spec import TestbedSpec

Names = Mapping[str, tuple[str, ...]]
"""Key of an expectation -> the names it may have."""


def reference_problems(data: Mapping[str, object], testbed: TestbedSpec) -> list[Problem]:
    """Every name in the document that the testbed does not know, except those of faults."""
    return [
        *_policy(data, testbed),
        *_replicas(data, testbed),
        *_load(data, testbed),
        *_clauses(data, testbed),
        *_invariants(data, testbed),
    ]


def mappings(
    data: Mapping[str, object], key: str
) -> Iterator[tuple[FilePath, Mapping[str, object]]]:
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
    """A finite number; None for anything else, which the shape check reports."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good and isfinite(value) else None  # type: ignore[arg-type]


def expectations(
    data: Mapping[str, object],
) -> Iterator[tuple[FilePath, str, Mapping[str, object]]]:
    """(path, kind, mapping) of everything below ``expect`` and ``abort_when``."""
    for key in ("expect", "abort_when"):
        for path, clause in mappings(data, key):
            for kind in clause:
                yield (*path, kind), kind, inner(clause, kind)


def _policy(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    fix = f"add {testbed.policies.name}/<name>.yaml, or choose one that is there"
    yield from unknown_name(("policy",), data.get("policy", "default"), testbed.policy_names, fix)


def _replicas(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    services = [service.name for service in testbed.services]
    for name in inner(data, "replicas"):
        yield from unknown_name(("replicas", name), name, services, "see testbed.yaml")


def _load(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    load = inner(data, "load")
    profiles, operations = testbed.load.profiles, testbed.load.operations
    if profiles:
        yield from unknown_name(
            ("load", "profile"), load.get("profile"), profiles, "see loadtests/"
        )
    for operation in inner(load, "mix") if operations else ():
        yield from unknown_name(("load", "mix", operation), operation, operations, "see loadtests/")


def _clauses(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    names: Names = {
        "link": tuple(link.name for link in testbed.call_links),
        "origin": (*(service.name for service in testbed.services), "client"),
        "mechanism": (*testbed.mechanisms, *testbed.client_mechanisms),
        "operation": tuple(inner(inner(data, "load"), "mix")),
    }
    fixes = {"operation": "use an operation of load.mix"}
    for path, _, mapping in expectations(data):
        for key, known in names.items():
            if key in mapping and known:
                fix = fixes.get(key, "see testbed.yaml")
                yield from unknown_name((*path, key), mapping[key], known, fix)


def _invariants(data: Mapping[str, object], testbed: TestbedSpec) -> Iterator[Problem]:
    wanted = data.get("invariants")
    names = [each.name for each in testbed.invariants]
    for at, name in enumerate(wanted if isinstance(wanted, list) else ()):
        yield from unknown_name(("invariants", at), name, names, "see testbed.yaml")
