"""The experiment runner: YAML in, a verdict with evidence out. It never imports the services."""
