"""Notifies users of confirmed reservations. Not critical: a failure here fails no reservation."""
