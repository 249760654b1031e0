"""``python -m aguante.runtimes.servers toxiproxy``: find or build servers before the first run; print their paths."""

import sys

from aguante.runtimes.servers import SERVERS, ServerMissingError, find_server


def main(names: list[str]) -> int:
    """Exit code 0; 3 for an unknown name; 4 for a server that is missing and cannot be built."""
    unknown = [name for name in names if name not in SERVERS]
    if unknown or not names:
        usage = f"usage: python -m aguante.runtimes.servers {{{'|'.join(SERVERS)}}}..."
        print(usage, file=sys.stderr)
        return 3
    try:
        for name in names:
            print(find_server(SERVERS[name]))
    except ServerMissingError as why:
        print(why, file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
