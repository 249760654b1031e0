"""The kinds of expectation: their keys and bounds."""
