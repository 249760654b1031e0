"""The resilience policy: its sections, how a file is read, and what it must not say."""
