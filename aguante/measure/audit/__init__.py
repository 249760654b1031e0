"""The safety invariants and the client's ledger."""
