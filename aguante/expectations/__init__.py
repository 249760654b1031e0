"""The kinds of expectation, one file each: keys and bounds, the question to the evidence, the judgement, the words."""
