"""Seats: reserve, release, and the lock that keeps them from being oversold."""
