"""Faults on containers, injected by Pumba."""
