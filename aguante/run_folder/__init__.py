"""The folder of one run: its files, the run log, the undo journal."""
