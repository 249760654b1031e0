"""Whether a service that runs was given the policy that an experiment wants. Pure."""

from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML


def read_policy(path: Path) -> object:
    """A policy file as plain data, ``off`` as None."""
    return _plain(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))


def difference(wanted: object, told: object, where: str = "") -> str:
    """The first place where what a service tells differs from what is wanted; empty: there is none.

    Keys that the service tells beyond those wanted are its own defaults, and differ from nothing.

    >>> difference({"a": {"limit": 64}}, {"a": {"limit": 32}})
    'a.limit is 32, not 64'
    """
    wanted, told = _plain(wanted), _plain(told)
    if isinstance(wanted, Mapping) and isinstance(told, Mapping):
        for key, value in wanted.items():
            found = difference(value, told.get(key), f"{where}.{key}" if where else str(key))
            if found:
                return found
        return ""
    return "" if wanted == told else f"{where} is {_shown(told)}, not {_shown(wanted)}"


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
