"""Plans, verdicts and the live view as text for the terminal."""
