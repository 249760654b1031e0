"""Compares the policy of a running service with the policy that an experiment needs. Pure."""

from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML


def read_policy(path: Path) -> object:
    """Return a policy file as plain data, with ``off`` as None."""
    return _plain(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))


def difference(wanted: object, actual: object, where: str = "") -> str:
    """Return the first difference between the wanted and the actual policy; empty: they match.

    Keys that exist only in the actual policy are the service's defaults, and are ignored.

    >>> difference({"a": {"limit": 64}}, {"a": {"limit": 32}})
    'a.limit is 32, not 64'
    """
    wanted, actual = _plain(wanted), _plain(actual)
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        for key, value in wanted.items():
            found = difference(value, actual.get(key), f"{where}.{key}" if where else str(key))
            if found:
                return found
        return ""
    return "" if wanted == actual else f"{where} is {_shown(actual)}, not {_shown(wanted)}"


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if value is None or value is False or value == "off" else value


def _shown(value: object) -> str:
    if value is None:
        return "off"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(each)}" for key, each in value.items()) + "}"
    return str(value)
