"""What is asked of Docker here: what images there are, to import one, to build one, to try one."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aguante.clients.docker_cli import Docker, DockerError

BUILD_LIMIT_S = 900.0
TRY_LIMIT_S = 60.0
STAND_IN = "aguante.stand-in"
"""The label of what we built; its value says from what."""


@dataclass(frozen=True)
class Engine:
    """A Docker engine.

    The classic builder is asked for: it is in every engine, needs no plugin, and looks for base images here
    before it looks anywhere else.
    """

    docker: Docker = field(default_factory=lambda: Docker(environment={"DOCKER_BUILDKIT": "0"}))

    async def check(self) -> None:
        """Raises DockerError with cause and fix when no engine answers."""
        await self.docker.run("version", "--format", "{{.Server.Version}}")

    async def image_id(self, tag: str) -> str:
        """Empty when there is no such image."""
        result = await self.docker.call("image", "inspect", "--format", "{{.Id}}", tag)
        return result.out.strip() if result.code == 0 else ""

    async def label(self, tag: str) -> str | None:
        """From what we built this image; empty: it is not ours; None: it is not there."""
        form = f'{{{{index .Config.Labels "{STAND_IN}"}}}}'
        result = await self.docker.call("image", "inspect", "--format", form, tag)
        if result.code == 0:
            return result.out.strip().replace("<no value>", "")
        # an image without any label has no map to look into, which is an error of the template
        return "" if await self.image_id(tag) else None

    async def import_root(self, archive: Path, tag: str, changes: Sequence[str]) -> None:
        """Make an image of one archive of a root file system; raises DockerError."""
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
        """Build an image; what Docker has cached is not built again.

        Returns:
            Whether the image is another one than before.

        Raises:
            DockerError: the build failed; its last lines are in the message.
        """
        before = await self.image_id(tag)
        given = [f"{name}={value}" for name, value in (arguments or {}).items()]
        options = [part for each in given for part in ("--build-arg", each)]
        options += ["--label", f"{STAND_IN}={label}"] if label else []
        # The host's network: a package mirror that only this machine can reach is reached by the build too.
        await self.docker.run(
            *("build", "--quiet", "--network", "host", "--tag", tag, "--file", str(dockerfile)),
            *options,
            str(context),
            limit_s=BUILD_LIMIT_S,
        )
        return await self.image_id(tag) != before

    async def try_out(self, tag: str, command: Sequence[str], expected: str) -> None:
        """Run a command of an image, confined as in our compose file, and see that it says what it should.

        Raises:
            DockerError: it does not start, or says something else.
        """
        program, *rest = command
        said = await self.docker.run(
            *("run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL"),
            *("--entrypoint", program, tag, *rest),
            limit_s=TRY_LIMIT_S,
        )
        if expected not in said:
            message = (
                f"{tag} was built, but `{' '.join(command)}` in it says {said!r}, not {expected}"
            )
            raise DockerError(message)


def copied(target: Path, files: Mapping[str, Path]) -> None:
    """Put files and folders into a build context under the names that its Dockerfile uses."""
    for name, source in files.items():
        if source.is_dir():
            shutil.copytree(
                source, target / name, symlinks=True, ignore=shutil.ignore_patterns("pgxs")
            )
        else:
            shutil.copy2(source, target / name)


def context_of(files: Mapping[str, Path]) -> tempfile.TemporaryDirectory[str]:
    """A build context of these files alone, removed with the ``with`` block."""
    folder = tempfile.TemporaryDirectory(prefix="aguante-image-")
    copied(Path(folder.name), files)
    return folder
