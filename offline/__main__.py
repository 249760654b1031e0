"""``python -m offline images|compose|stack``: what Make calls for ``images-offline``, ``compose`` and ``stack``."""

import argparse
import asyncio
import sys
import time

from aguante.clients.docker_cli import Docker
from aguante.testbed.runtime import TestbedError
from offline.build import Maker, Say
from offline.engine import Engine
from offline.plugin import install_compose
from offline.stack import WITHOUT_GRAFANA, start_stack
from offline.wanted import COMPOSE_FILE, read_wanted


def main(arguments: list[str]) -> int:
    """Exit code 0, or 4 when something cannot be made; the reason is on stderr."""
    parser = argparse.ArgumentParser(prog="python -m offline", description=__doc__)
    parser.add_argument("what", choices=["images", "compose", "stack"])
    parser.add_argument("--without-grafana", action="store_true", help="of `stack`")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {line}", flush=True)

    failed: list[BaseException] = []
    try:
        asyncio.run(chosen_work(chosen, say))
    except* TestbedError as why:
        failed += why.exceptions
    except* KeyboardInterrupt:
        failed.append(KeyboardInterrupt("interrupted"))
    for each in failed:
        print(each, file=sys.stderr)
    return 4 if failed else 0


async def chosen_work(chosen: argparse.Namespace, say: Say) -> None:
    """Raises TestbedError, alone or in a group."""
    match chosen.what:
        case "images":
            await Maker(Engine(), read_wanted(), say).make_all()
        case "compose":
            await install_compose(say)
        case "stack":
            files = (COMPOSE_FILE, WITHOUT_GRAFANA) if chosen.without_grafana else (COMPOSE_FILE,)
            await start_stack(Docker(), files, say)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
