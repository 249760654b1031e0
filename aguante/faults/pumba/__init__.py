"""Faults on the containers of a service, by Pumba: its commands, their rules, and the kind itself."""
