"""Checks of the arguments of ``Runtime.up``, the same for every runtime."""

from collections.abc import Mapping
from pathlib import Path

from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_spec import REPLICAS_MAX, TestbedSpec


def policy_path(spec: TestbedSpec, policy: str) -> Path:
    """Return the file of a policy, absolute.

    Raises:
        TestbedError: there is no such policy; lists those that exist.
    """
    file = spec.policy_file(policy)
    if not file.is_file():
        known = ", ".join(spec.policy_names) or "none"
        message = f"there is no policy {policy!r} in {spec.policies}; there are: {known}"
        raise TestbedError(message)
    return file.resolve()


def check_replicas(spec: TestbedSpec, replicas: Mapping[str, int]) -> None:
    """Check the number of replicas of each service.

    Raises:
        TestbedError: an unknown service, or a number outside 1 to ``REPLICAS_MAX``.
    """
    known = [service.name for service in spec.services]
    for name, number in replicas.items():
        if name not in known:
            message = f"replicas of {name!r}: no such service; there are: {', '.join(known)}"
            raise TestbedError(message)
        if not 1 <= number <= REPLICAS_MAX:
            message = f"{number} replicas of {name}: choose 1 to {REPLICAS_MAX}"
            raise TestbedError(message)
