"""The result of one check of this machine or of a testbed."""

from typing import Literal

from aguante.core.values import Value


class Check(Value):
    """The result of one check."""

    name: str
    state: Literal["ok", "note", "missing", "broken"]
    """``missing``: native runs need it. ``broken``: present, but it does not work. ``note``: optional, or degraded."""
    found: str
    fix: str = ""
    """What to do; empty if nothing has to be done."""
