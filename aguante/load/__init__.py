"""The runner's side of the load: starts the generator, and creates the events that it reserves."""
