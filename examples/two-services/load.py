"""The requests that customers send to the shop. Aguante provides arrivals, records and statistics."""

import sys

from loadtests.child import main
from loadtests.operations import Call, only
from loadtests.profiles import Choice


def buy(choice: Choice, trace_id: str, _key: str, headers: dict[str, str]) -> Call:
    """``GET /buy/<sku>``."""
    path = f"/buy/{choice.user_id}"
    return Call("buy", "GET", path, "/buy/{sku}", trace_id, headers=headers)


if __name__ == "__main__":
    only({"buy": buy})
    sys.exit(main())
