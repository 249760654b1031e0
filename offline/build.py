"""Builds all images in dependency order; compilers run while packages are downloaded."""

import asyncio
from dataclasses import dataclass

from offline.debian import make_base
from offline.engine import Engine, Say
from offline.standins import LEFT_OUT, STAND_INS, make_stand_in, pip_index
from offline.wanted import PYTHON, ROOT, Wanted


@dataclass(frozen=True)
class ImageBuilder:
    """Builds the images of ``docker-compose.yml``.

    Args:
        engine: the Docker engine that receives the images.
        wanted: the images.
        say: receives the result of each image.
    """

    engine: Engine
    wanted: Wanted
    say: Say

    async def build_all(self) -> None:
        """Build every image that can be built, and list those that cannot.

        Raises:
            TestbedError: no engine responds, or (in a group) an image could not be built.
        """
        await self.engine.check()
        public = self.wanted.public
        real = {name for name, tag in public.items() if await self.engine.label(tag) == ""}
        for name in sorted(real):
            self.say(f"{public[name]}: already exists and is no stand-in; unchanged")
        missing = set(STAND_INS) - real
        async with asyncio.TaskGroup() as group:
            base = group.create_task(self._base(PYTHON in real))
            files = group.create_task(self._compile(missing))
            group.create_task(self._own(base))
            group.create_task(self._stand_ins(missing, base, files))
        for name in sorted(set(LEFT_OUT) - real):
            self.say(f"{public.get(name, name)}: NOT BUILT. {LEFT_OUT[name]}")

    async def _base(self, is_real: bool) -> None:
        tag = self.wanted.public[PYTHON]
        if not is_real:
            self._report(tag, await make_base(self.engine, tag, self.say))

    async def _compile(self, names: set[str]) -> None:
        """Compile one after the other: each compiler uses every core."""
        for name in sorted(names):
            await asyncio.to_thread(STAND_INS[name].files)

    async def _own(self, base: asyncio.Task[None]) -> None:
        await asyncio.shield(base)
        for tag, dockerfile in self.wanted.own.items():
            self._report(tag, await self.engine.build(ROOT, dockerfile, tag, pip_index()))

    async def _stand_ins(
        self, names: set[str], base: asyncio.Task[None], files: asyncio.Task[None]
    ) -> None:
        await asyncio.shield(asyncio.gather(base, files))
        for name in sorted(names):
            tag = self.wanted.public[name]
            fresh = await make_stand_in(self.engine, name, tag, self.wanted.public[PYTHON])
            self._report(tag, fresh)

    def _report(self, tag: str, fresh: bool) -> None:
        self.say(f"{tag}: {'built' if fresh else 'up to date'}")
