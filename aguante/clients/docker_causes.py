"""What Docker's messages mean, and how to fix it: one line of cause, one of fix. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass

SAID_MAX = 600
"""Characters of Docker's own words that a message repeats."""
NOT_FROZEN = "unable to freeze"
"""runc's words where a process was being made in the container just then, by a health check for one. Its maintainers
leave it to the caller to try again (opencontainers/runc, pull requests 2791 and 4388; control groups of version 1)."""
FREEZE_TRIES = 5
"""As many as fit into a second: later, the fault would not count as begun in time."""


@dataclass(frozen=True)
class _Cause:
    """A pattern of Docker's words -> what it means."""

    pattern: str
    tell: Callable[[re.Match[str]], str]


def _fixed(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _: text


def _taken(match: re.Match[str]) -> str:
    port = match["port"]
    return (
        f"port {port} of this machine is taken by another program: end it (`ss -ltnp 'sport = :{port}'` "
        "names it) or take another port: a run that is started again picks free ones by itself, `docker compose "
        "up` takes what the variable of that port in docker-compose.yml says"
    )


_IMAGE = re.compile(
    r"Unable to find image '([^']+)'|unable to get image '([^']+)'|pull access denied for ([^,\s]+)"
    r"|manifest for (\S+) not found|No such image: (\S+)"
)
_SERVICE = re.compile(r"^\s*(?:Image )?(\S+) Error\b", re.MULTILINE)
"""Compose names the service, and not what it wanted to pull for it."""


def _no_image(match: re.Match[str]) -> str:
    image, service = _IMAGE.search(match.string), _SERVICE.search(match.string)
    name = next((each for each in image.groups() if each), "") if image else ""
    what = f"image {name}" if name else f"image of {service[1] if service else 'a container'}"
    return (
        f"the {what} is not here and could not be pulled: give this machine access to its registry, or build "
        "stand-ins from package mirrors alone (`make images-offline`)"
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
            "the Docker daemon does not answer: start it (`sudo systemctl start docker`), or correct "
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
        _fixed("the disk of Docker is full: `docker system df` shows what takes it"),
    ),
)


def cause_of(words: str) -> str:
    """Cause and fix for what Docker said; its own words where no cause is known."""
    return known_cause(words) or said(words).strip() or "it said nothing"


def known_cause(words: str) -> str:
    """Cause and fix for what Docker said; empty where no cause is known."""
    for each in _CAUSES:
        match = re.search(each.pattern, words)
        if match:
            return f"{each.tell(match)}\n  Docker said: {_line_of(match)}"
    return ""


def last_line(words: str) -> str:
    """The error itself: what stands before it is progress, and warnings of what went well in the end."""
    return words.strip().rpartition("\n")[2].strip()


def said(words: str) -> str:
    """The end of what Docker said: the error stands last, progress before it."""
    return words[-SAID_MAX * 4 :]


def _line_of(match: re.Match[str]) -> str:
    """The line of Docker's that gave the cause away."""
    text = match.string
    begin, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.start())
    return text[begin : end if end >= 0 else None].strip()[-SAID_MAX:]
