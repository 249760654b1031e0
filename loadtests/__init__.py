"""Open-loop load for the shop, on Locust.

Usable alone with plain ``locust``; of the runner it imports only the records.
"""
