"""One run: composed, carried out, healed and judged; recovery of dead runs, manual faults, past runs."""
