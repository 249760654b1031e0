"""The little that the runner reads of a policy file. The services own its schema; here it is only looked at."""

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def timeouts_s(policy: Path) -> dict[str, float]:
    """Link -> the seconds that an attempt on it may take, as far as the file says so in our form.

    A foreign system's policy, or a broken one, has none that we know.
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
