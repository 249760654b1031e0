"""The single entry point: a semaphore, a deadline, and the contract's status codes."""
