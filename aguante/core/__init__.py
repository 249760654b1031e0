"""Values, statistics, YAML with line numbers and findings: what every other folder builds on."""
