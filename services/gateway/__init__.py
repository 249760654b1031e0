"""The gateway: the one entrance, with a semaphore, a deadline, and the contract's status codes."""
