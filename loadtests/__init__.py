"""Open-loop load for the shop, on Locust.

It can be used alone with plain ``locust``; of the runner it imports only ``aguante.load_protocol``.
"""
