"""Notifications: tells a user that a reservation stands. Not critical: its failure fails no reservation."""
