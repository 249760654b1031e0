"""The part of a policy file that the runner reads. The services own the schema."""

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def timeouts_s(policy: Path) -> dict[str, float]:
    """Return the timeout of one attempt by link, in seconds.

    Empty for a broken file, and for a policy of another system with another schema.
    """
    try:
        data = YAML(typ="safe", pure=True).load(policy)
    except (OSError, YAMLError):
        return {}
    links = data.get("links") if isinstance(data, dict) else None
    found = {}
    for link, settings in links.items() if isinstance(links, dict) else ():
        limit_s = settings.get("timeout_s") if isinstance(settings, dict) else None
        if isinstance(limit_s, int | float):
            found[str(link)] = float(limit_s)
    return found
