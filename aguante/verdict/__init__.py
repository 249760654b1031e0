"""A pure function of Plan and Measures; one file per expectation kind."""
