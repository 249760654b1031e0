"""From a plan and its measures to a verdict. Pure."""
