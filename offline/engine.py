"""The Docker operations on images: look up, import, build, and test."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aguante.clients.docker_cli import Docker, DockerError

Say = Callable[[str], None]
"""Receives progress messages."""

BUILD_LIMIT_S = 900.0
TRY_LIMIT_S = 60.0
STAND_IN = "aguante.stand-in"
"""The label of our stand-ins; its value identifies what they were built from."""


@dataclass(frozen=True)
class Engine:
    """A Docker engine.

    It uses the classic builder, which every engine has, needs no plugin, and prefers local base images.
    """

    docker: Docker = field(default_factory=lambda: Docker(environment={"DOCKER_BUILDKIT": "0"}))

    async def check(self) -> None:
        """Check that the engine responds; raises DockerError with cause and fix."""
        await self.docker.run("version", "--format", "{{.Server.Version}}")

    async def image_id(self, tag: str) -> str:
        """Return the id of an image; empty: it does not exist."""
        result = await self.docker.call("image", "inspect", "--format", "{{.Id}}", tag)
        return result.out.strip() if result.code == 0 else ""

    async def label(self, tag: str) -> str | None:
        """Return the value of STAND_IN; empty: the image is no stand-in; None: it does not exist."""
        form = f'{{{{index .Config.Labels "{STAND_IN}"}}}}'
        result = await self.docker.call("image", "inspect", "--format", form, tag)
        if result.code == 0:
            return result.out.strip().replace("<no value>", "")
        # without any label, the template fails because there is no map
        return "" if await self.image_id(tag) else None

    async def import_root(self, archive: Path, tag: str, changes: Sequence[str]) -> None:
        """Create an image from an archive of a root file system; raises DockerError."""
        options = [part for change in changes for part in ("--change", change)]
        await self.docker.run("import", *options, str(archive), tag, limit_s=BUILD_LIMIT_S)

    async def build(
        self,
        context: Path,
        dockerfile: Path,
        tag: str,
        arguments: Mapping[str, str] | None = None,
        label: str = "",
    ) -> bool:
        """Build an image, with Docker's cache.

        Returns:
            Whether the image has changed.

        Raises:
            DockerError: the build failed; the message contains its last lines.
        """
        before = await self.image_id(tag)
        given = [f"{name}={value}" for name, value in (arguments or {}).items()]
        options = [part for each in given for part in ("--build-arg", each)]
        options += ["--label", f"{STAND_IN}={label}"] if label else []
        # The host's network, so that the build can reach a package mirror that only this machine can reach.
        await self.docker.run(
            *("build", "--quiet", "--network", "host", "--tag", tag, "--file", str(dockerfile)),
            *options,
            str(context),
            limit_s=BUILD_LIMIT_S,
        )
        return await self.image_id(tag) != before

    async def try_out(self, tag: str, command: Sequence[str], expected: str) -> None:
        """Run a command in an image, with the restrictions of our compose file, and check its output.

        Raises:
            DockerError: it does not start, or prints something else.
        """
        program, *rest = command
        output = await self.docker.run(
            *("run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL"),
            *("--entrypoint", program, tag, *rest),
            limit_s=TRY_LIMIT_S,
        )
        if expected not in output:
            message = (
                f"{tag} was built, but its `{' '.join(command)}` prints {output!r}, not {expected}"
            )
            raise DockerError(message)


def copied(target: Path, files: Mapping[str, Path]) -> None:
    """Copy files and folders into a build context under the names that its Dockerfile uses."""
    for name, source in files.items():
        if source.is_dir():
            shutil.copytree(
                source, target / name, symlinks=True, ignore=shutil.ignore_patterns("pgxs")
            )
        else:
            shutil.copy2(source, target / name)


def context_of(files: Mapping[str, Path]) -> tempfile.TemporaryDirectory[str]:
    """Return a build context with only these files, for a ``with`` statement that removes it."""
    folder = tempfile.TemporaryDirectory(prefix="aguante-image-")
    copied(Path(folder.name), files)
    return folder
