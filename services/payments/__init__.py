"""Charges: pay and refund, both idempotent by reservation."""
