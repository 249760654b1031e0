"""All images, in the order of their needs: compilers work while packages come over the network."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from offline.debian import make_base
from offline.engine import Engine
from offline.standins import LEFT_OUT, STAND_INS, make_stand_in, pip_index
from offline.wanted import PYTHON, ROOT, Wanted

Say = Callable[[str], None]


@dataclass(frozen=True)
class Maker:
    """Makes what ``docker-compose.yml`` wants.

    Args:
        engine: the Docker engine that receives the images.
        wanted: the images.
        say: told of each image what became of it.
    """

    engine: Engine
    wanted: Wanted
    say: Say

    async def make_all(self) -> None:
        """Make every image that can be made, and say which cannot.

        Raises:
            TestbedError: no engine answers, or (in a group) an image could not be made.
        """
        await self.engine.check()
        public = self.wanted.public
        real = {name for name, tag in public.items() if await self.engine.label(tag) == ""}
        for name in sorted(real):
            self.say(f"{public[name]}: is there and is no stand-in of ours; left as it is")
        missing = set(STAND_INS) - real
        async with asyncio.TaskGroup() as group:
            base = group.create_task(self._base(PYTHON in real))
            files = group.create_task(self._compile(missing))
            group.create_task(self._own(base))
            group.create_task(self._stand_ins(missing, base, files))
        for name in sorted(set(LEFT_OUT) - real):
            self.say(f"{public.get(name, name)}: LEFT OUT. {LEFT_OUT[name]}")

    async def _base(self, is_real: bool) -> None:
        tag = self.wanted.public[PYTHON]
        if not is_real:
            self._told(tag, await make_base(self.engine, tag, self.say))

    async def _compile(self, names: set[str]) -> None:
        """One after the other: each compiler takes every core by itself."""
        for name in sorted(names):
            await asyncio.to_thread(STAND_INS[name].files)

    async def _own(self, base: asyncio.Task[None]) -> None:
        await asyncio.shield(base)
        for tag, dockerfile in self.wanted.own.items():
            self._told(tag, await self.engine.build(ROOT, dockerfile, tag, pip_index()))

    async def _stand_ins(
        self, names: set[str], base: asyncio.Task[None], files: asyncio.Task[None]
    ) -> None:
        await asyncio.shield(asyncio.gather(base, files))
        for name in sorted(names):
            tag = self.wanted.public[name]
            fresh = await make_stand_in(self.engine, name, tag, self.wanted.public[PYTHON])
            self._told(tag, fresh)

    def _told(self, tag: str, fresh: bool) -> None:
        self.say(f"{tag}: {'built' if fresh else 'up to date'}")
