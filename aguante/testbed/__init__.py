"""The system under test as the runner knows it: its specification, and the Protocol of the runtimes."""
