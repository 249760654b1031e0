"""How a call, a statement or a request fails: the vocabulary of all other folders."""
