"""The base image of all stand-ins: a root file system of Debian packages, like ``python:3.11-slim-bookworm``."""

import asyncio
import hashlib
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aguante.clients.docker_cli import DockerError
from offline.engine import STAND_IN, Engine, Say

SUITE = "bookworm"
PACKAGES = (
    *("python3", "python3-venv", "ca-certificates"),
    *("passwd", "libstdc++6"),  # part of every Debian image; wheels need libstdc++6
    "busybox-static",  # provides wget, which the images of Prometheus and Jaeger contain
)
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
LIMIT_S = 600.0
_UNREAD = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_CHANGES = (
    "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    # If a package mirror's certificate comes from a private authority, the images must trust it, too.
    f"ENV SSL_CERT_FILE={CERTIFICATES} PIP_CERT={CERTIFICATES}",
    'CMD ["python3"]',
)


async def make_base(engine: Engine, tag: str, say: Say) -> bool:
    """Build the base image, unless it exists and was built from the same recipe.

    Returns:
        Whether a new image was built.

    Raises:
        DockerError: mmdebstrap is missing or failed, or Docker did not accept the image.
    """
    certificates = certificates_here()
    recipe = fingerprint(certificates)
    if await engine.label(tag) == recipe:
        return False
    program = shutil.which("mmdebstrap")
    if program is None:
        message = "mmdebstrap, which builds images of Debian packages, is missing: `apt-get install mmdebstrap`"
        raise DockerError(message)
    say(f"{tag}: building from Debian packages, once, about half a minute")
    with tempfile.TemporaryDirectory(prefix="aguante-base-") as folder:
        archive = Path(folder) / "root.tar"
        command = [
            program,
            *options(certificates),
            SUITE,
            str(archive),
            *await asyncio.to_thread(sources),
        ]
        await asyncio.to_thread(run, command)
        await engine.import_root(archive, tag, (*_CHANGES, f"LABEL {STAND_IN}={recipe}"))
    return True


def options(certificates: Path) -> list[str]:
    """Return mmdebstrap's options: no apt, no manual pages, and Python under the names of the public image."""
    hooks = (
        f"upload {certificates} {CERTIFICATES}",
        'ln -s /usr/bin/python3 "$1/usr/local/bin/python3"',
        'ln -s python3 "$1/usr/local/bin/python"',
    )
    return [
        *("--quiet", "--variant=essential", f"--include={','.join(PACKAGES)}"),
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={path}" for path in _UNREAD),
        *(f"--customize-hook={hook}" for hook in hooks),
    ]


def sources() -> list[str]:
    """Return this machine's apt sources for the suite, so that its mirror is used; empty: Debian's default."""
    form = "deb $(SITE) $(RELEASE) $(COMPONENT)"
    command = [
        "apt-get",
        "indextargets",
        "--format",
        form,
        "Created-By: Packages",
        "Origin: Debian",
    ]
    try:
        lines = run(command).splitlines()
    except (DockerError, FileNotFoundError):
        return []
    return sorted({line for line in lines if line.split()[2].startswith(SUITE)})


def certificates_here() -> Path:
    """Return the bundle of CA certificates that this machine trusts."""
    configured = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    for path in (configured, CERTIFICATES):
        if path and Path(path).is_file():
            return Path(path)
    message = (
        f"there is no bundle of CA certificates ({CERTIFICATES}): `apt-get install ca-certificates`"
    )
    raise DockerError(message)


def fingerprint(certificates: Path) -> str:
    """Return a hash of everything that the base image is built from."""
    parts = [SUITE, *options(Path("bundle")), *_CHANGES]
    digest = hashlib.sha256("\n".join(parts).encode())
    digest.update(certificates.read_bytes())
    return digest.hexdigest()[:16]


def run(command: Sequence[str]) -> str:
    """Return a program's output; raises DockerError with its last lines if it failed or did not end in time."""
    try:
        done = subprocess.run(
            command,
            check=True,
            timeout=LIMIT_S,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as why:
        last = "\n".join((why.stderr or why.stdout).strip().splitlines()[-6:])
        message = f"`{command[0]} ...` ended with {why.returncode}:\n{last}"
        raise DockerError(message) from why
    except subprocess.TimeoutExpired as why:
        message = f"`{command[0]} ...` did not end within {LIMIT_S:.0f} s: does this machine reach its package mirror?"
        raise DockerError(message) from why
    return done.stdout
