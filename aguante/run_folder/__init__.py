"""Where everything about one run is stored: paths, events, the undo journal."""
