"""Charges: pay and refund, idempotent by reservation."""
