"""Build hook: a wheel carries the shop inside the package, in ``aguante/shop``.

Hatchling's own ``force-include`` would copy it into the virtual environment for an editable install, too.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShopInWheel(BuildHookInterface[Any]):
    """Maps what pyproject.toml lists under ``shop``; the files keep their places relative to each other."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Hatchling calls this before each build; ``version`` is ``standard`` or ``editable``."""
        if version == "standard":
            build_data["force_include"] |= {
                path: f"aguante/shop/{path}" for path in self.config["shop"]
            }
