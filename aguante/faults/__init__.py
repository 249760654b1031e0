"""The vocabulary of faults: keys, bounds, undo values, and when a fault counts as observed. Nothing here acts."""
