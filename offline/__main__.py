"""``python -m offline images|compose``: what ``make images-offline`` and ``make compose`` call."""

import argparse
import asyncio
import sys
import time

from aguante.runtimes.docker import DockerError
from offline.build import Maker, Say
from offline.engine import Engine
from offline.plugin import install_compose
from offline.wanted import read_wanted


def main(arguments: list[str]) -> int:
    """Exit code 0, or 4 when something cannot be made; the reason is on stderr."""
    parser = argparse.ArgumentParser(prog="python -m offline", description=__doc__)
    parser.add_argument("what", choices=["images", "compose"])
    chosen = parser.parse_args(arguments)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {line}", flush=True)

    failed: list[BaseException] = []
    try:
        asyncio.run(chosen_work(chosen.what, say))
    except* DockerError as why:
        failed += why.exceptions
    for each in failed:
        print(each, file=sys.stderr)
    return 4 if failed else 0


async def chosen_work(what: str, say: Say) -> None:
    """Raises DockerError, alone or in a group."""
    if what == "images":
        await Maker(Engine(), read_wanted(), say).make_all()
    else:
        await install_compose(say)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
