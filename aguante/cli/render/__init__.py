"""Plans, verdicts and live views as text for a terminal."""
