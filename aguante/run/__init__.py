"""Playing one plan on one testbed."""
