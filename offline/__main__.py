"""``python -m offline images|compose|stack``: the Make targets ``images-offline``, ``compose`` and ``stack``."""

import argparse
import asyncio
import sys
import time

from aguante.clients.docker_cli import Docker
from aguante.testbed.runtime import TestbedError
from offline.build import ImageBuilder
from offline.engine import Engine, Say
from offline.plugin import install_compose
from offline.stack import WITHOUT_GRAFANA, start_stack
from offline.wanted import COMPOSE_FILE, read_wanted


def main(arguments: list[str]) -> int:
    """Exit code 0, or 4 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m offline", description=__doc__)
    parser.add_argument("what", choices=["images", "compose", "stack"])
    parser.add_argument("--without-grafana", action="store_true", help="for `stack`")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {line}", flush=True)

    failed: list[BaseException] = []
    try:
        asyncio.run(carry_out(chosen, say))
    except* TestbedError as why:
        failed += why.exceptions
    except* KeyboardInterrupt:
        failed.append(KeyboardInterrupt("interrupted"))
    for each in failed:
        print(each, file=sys.stderr)
    return 4 if failed else 0


async def carry_out(chosen: argparse.Namespace, say: Say) -> None:
    """Do what the arguments say; raises TestbedError, alone or in a group."""
    match chosen.what:
        case "images":
            await ImageBuilder(Engine(), read_wanted(), say).build_all()
        case "compose":
            await install_compose(say)
        case "stack":
            files = (COMPOSE_FILE, WITHOUT_GRAFANA) if chosen.without_grafana else (COMPOSE_FILE,)
            await start_stack(Docker(), files, say)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
