"""A service's settings, read from the environment once; every fault is reported at once (services/CONTRACT.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from services.kit.policy.findings import Finding, Invalid

T = TypeVar("T")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration of one service. `links` maps a link's name to its proxied address."""

    service: str
    host: str
    port: int
    links: Mapping[str, str]
    database_url: str | None
    policy_path: Path
    otlp_endpoint: str | None
    resource_attributes: Mapping[str, str]
    log_level: str
    own_port: int | None = None
    """A port of this process alone; then `port` is shared with its replicas. None: `port` is its own."""


def read_settings(
    service: str, environ: Mapping[str, str], *, links: Sequence[str] = (), database: bool = False
) -> Settings:
    """Read the settings of `service`; raises `Invalid` with every fault.

    `links`: the links that it calls over (`reservations-payments`). `database`: whether it has one.
    """
    reader = _Reader(environ)
    settings = Settings(
        service=service,
        host=reader.text("HOST"),
        port=reader.port("PORT"),
        links={link: reader.url(link_variable(link), ("http",)) for link in links},
        database_url=(
            reader.url(link_variable(f"{service}-db"), ("postgresql", "postgres"))
            if database
            else None
        ),
        policy_path=reader.file("AGUANTE_POLICY"),
        otlp_endpoint=reader.optional(
            "OTEL_EXPORTER_OTLP_ENDPOINT", lambda name: reader.url(name, ("http", "https"))
        ),
        resource_attributes=reader.pairs("OTEL_RESOURCE_ATTRIBUTES"),
        log_level=reader.choice("LOG_LEVEL", LOG_LEVELS, "INFO"),
        own_port=reader.optional("OWN_PORT", reader.port),
    )
    if reader.findings:
        raise Invalid(tuple(reader.findings))
    return settings


def link_variable(link: str) -> str:
    """Return the environment variable that holds a link's address: `LINK_RESERVATIONS_PAYMENTS`."""
    return "LINK_" + link.upper().replace("-", "_")


class _Reader:
    """Reads variables and collects their faults; returns a placeholder for a value that it could not read."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.findings: list[Finding] = []

    def text(self, name: str) -> str:
        value = self._environ.get(name, "")
        if not value:
            self._fault(name, "is missing; set it in the environment (see services/CONTRACT.md)")
        return value

    def port(self, name: str) -> int:
        value = self.text(name)
        number = int(value) if value.isascii() and value.isdigit() else -1
        if value and not 0 <= number <= 65535:
            self._fault(name, f"must be a port number from 0 to 65535; found {value!r}")
        return number

    def url(self, name: str, schemes: Sequence[str]) -> str:
        value = self.text(name)
        if value and not _is_url(value, schemes):
            self._fault(name, f"must be {schemes[0]}://host:port...; found {value!r}")
        return value

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        return read(name) if self._environ.get(name) else None

    def file(self, name: str) -> Path:
        value = self.text(name)
        path = Path(value)
        if value and not path.is_file():
            self._fault(name, f"must name a file that exists; found {value!r}")
        return path

    def pairs(self, name: str) -> Mapping[str, str]:
        entries = [entry for entry in self._environ.get(name, "").split(",") if entry]
        for entry in entries:
            if "=" not in entry:
                self._fault(name, f"must be key=value,key=value; found {entry!r}")
        return {key.strip(): value.strip() for key, _, value in (e.partition("=") for e in entries)}

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        value = self._environ.get(name, "") or default
        if value not in allowed:
            self._fault(name, f"must be one of {', '.join(allowed)}; found {value!r}")
        return value

    def _fault(self, name: str, message: str) -> None:
        self.findings.append(Finding(name, message))


def _is_url(value: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port is not None
    except ValueError:
        return False
