"""Whether a fault on processes names a service, an action and an instance that there are."""

from collections.abc import Iterator, Mapping

from aguante.core.findings import Problem, did_you_mean, one_of
from aguante.faults.process_actions import ACTIONS, refusal
from aguante.testbed.testbed_spec import TestbedSpec

Path_ = tuple[str | int, ...]


def process_problems(
    path: Path_,
    section: Mapping[str, object],
    testbed: TestbedSpec,
    replicas: Mapping[str, object],
) -> Iterator[Problem]:
    """Everything wrong with the names of one ``process:`` mapping.

    Args:
        path: where the mapping stands.
        section: the mapping as written; values of a wrong type are left to the shape check.
        testbed: the owner of the services.
        replicas: the experiment's own, as written.
    """
    action = section.get("action")
    if isinstance(action, str) and action not in ACTIONS:
        hint = refusal(action) or did_you_mean(action, ACTIONS, "choose one of them")
        yield Problem((*path, "action"), action, one_of(ACTIONS), hint)
    yield from service_problems(path, section, testbed, replicas)


def service_problems(
    path: Path_,
    section: Mapping[str, object],
    testbed: TestbedSpec,
    replicas: Mapping[str, object],
) -> Iterator[Problem]:
    """Whether ``service`` and ``instance`` of a mapping name what there is; as for ``process_problems``."""
    service = section.get("service")
    services = [each.name for each in testbed.services]
    if isinstance(service, str) and service not in services:
        hint = did_you_mean(service, services, "see testbed.yaml")
        yield Problem((*path, "service"), service, one_of(services), hint)
    elif isinstance(service, str):
        yield from _instance(path, section.get("instance"), service, replicas.get(service, 1))


def _instance(path: Path_, instance: object, service: str, count: object) -> Iterator[Problem]:
    if not isinstance(instance, str) or not isinstance(count, int):
        return
    known = [f"{service}-{number + 1}" for number in range(max(1, min(count, 100)))]
    if instance not in known:
        hint = did_you_mean(instance, known, f"add replicas: {{{service}: N}}, or leave it out")
        yield Problem((*path, "instance"), instance, one_of(known), hint)
