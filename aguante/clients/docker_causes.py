"""Translates Docker's messages into a cause and a fix. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass

QUOTE_MAX = 600
"""Characters of Docker's message that are quoted."""
NOT_FROZEN = "unable to freeze"
"""runc's message if a process was being started in the container at that moment, e.g. by a health check. Its
maintainers leave the retry to the caller (opencontainers/runc, pull requests 2791 and 4388; cgroups v1)."""
FREEZE_TRIES = 5
"""As many as fit into one second; a later fault would not count as on time."""


@dataclass(frozen=True)
class _Cause:
    """A pattern in Docker's message, and its meaning."""

    pattern: str
    explain: Callable[[re.Match[str]], str]


def _fixed(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _: text


def _taken(match: re.Match[str]) -> str:
    port = match["port"]
    return (
        f"port {port} of this machine is taken by another program: end that program (`ss -ltnp 'sport = :{port}'` "
        "shows it) or use another port: a new run picks free ports, and `docker compose up` uses the port in the "
        "variable that docker-compose.yml names"
    )


_IMAGE = re.compile(
    r"Unable to find image '([^']+)'|unable to get image '([^']+)'|pull access denied for ([^,\s]+)"
    r"|manifest for (\S+) not found|No such image: (\S+)"
)
_SERVICE = re.compile(r"^\s*(?:Image )?(\S+) Error\b", re.MULTILINE)
"""Compose names the service, but not its image."""


def _no_image(match: re.Match[str]) -> str:
    image, service = _IMAGE.search(match.string), _SERVICE.search(match.string)
    name = next((each for each in image.groups() if each), "") if image else ""
    what = f"image {name}" if name else f"image of {service[1] if service else 'a container'}"
    return (
        f"the {what} is missing and could not be pulled: give this machine access to its registry, or build "
        "stand-ins from package mirrors (`make images-offline`)"
    )


_CAUSES = (
    _Cause(
        r"permission denied.*(docker\.sock|Docker daemon socket|docker API)",
        _fixed(
            "no permission on the Docker socket: add yourself to its group (`sudo usermod -aG docker $USER`, "
            "then log in again), or use rootless Docker"
        ),
    ),
    _Cause(
        r"Cannot connect to the Docker daemon|Is the docker daemon running|failed to connect to the docker API",
        _fixed(
            "the Docker daemon does not respond: start it (`sudo systemctl start docker`), or correct "
            "DOCKER_HOST or `docker context use`"
        ),
    ),
    _Cause(
        r"'?compose'? is not a docker command|unknown command: docker compose|unknown shorthand flag: 'p' in -p",
        _fixed(
            "Docker has no Compose plugin: install docker-compose-plugin (or docker-compose-v2), 2.20 or newer"
        ),
    ),
    _Cause(r"Bind for \S*?:(?P<port>\d+) failed: port is already allocated", _taken),
    _Cause(r"listen tcp\S* \S*?:(?P<port>\d+): bind: address already in use", _taken),
    _Cause(r"failed to bind host port (?:for )?\S*?:(?P<port>\d+)", _taken),
    _Cause(r"(?:ports are not available|exposing port).*?:(?P<port>\d+)\b", _taken),
    _Cause(
        r"pull access denied|manifest for \S+ not found|No such image|manifest unknown"
        r"|failed to resolve (?:source metadata|reference)|(?:Get|Head) \"https?://[^\"]+\":",
        _no_image,
    ),
    _Cause(
        r"no space left on device",
        _fixed("Docker's disk is full: `docker system df` shows what uses it"),
    ),
)


def cause_of(message: str) -> str:
    """Return cause and fix for Docker's message; if the cause is unknown, the message itself."""
    return known_cause(message) or end_of(message).strip() or "no output"


def known_cause(message: str) -> str:
    """Return cause and fix for Docker's message; empty if the cause is unknown."""
    for each in _CAUSES:
        match = re.search(each.pattern, message)
        if match:
            return f"{each.explain(match)}\n  Docker's message: {_line_of(match)}"
    return ""


def last_line(message: str) -> str:
    """Return the last line, which is the error; progress and warnings precede it."""
    return message.strip().rpartition("\n")[2].strip()


def end_of(message: str) -> str:
    """Return the end of Docker's output, which contains the error."""
    return message[-QUOTE_MAX * 4 :]


def _line_of(match: re.Match[str]) -> str:
    """Return the line that matched."""
    text = match.string
    begin, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.start())
    return text[begin : end if end >= 0 else None].strip()[-QUOTE_MAX:]
