"""The kinds of fault: keys and bounds, planned value, undo, observation and words. Nothing here acts."""
