"""How a call, a statement or a request fails: the words that every other folder of the kit uses."""
