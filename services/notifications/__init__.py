"""Notices: tell a user that a reservation stands. Not critical: a failure here fails no reservation."""
