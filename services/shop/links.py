"""The links that the services call over, named caller-callee as in `proxies/links.yaml`."""

GATEWAY_RESERVATIONS = "gateway-reservations"
GATEWAY_INVENTORY = "gateway-inventory"
RESERVATIONS_INVENTORY = "reservations-inventory"
RESERVATIONS_PAYMENTS = "reservations-payments"
RESERVATIONS_NOTIFICATIONS = "reservations-notifications"
RESERVATIONS_DB = "reservations-db"
INVENTORY_DB = "inventory-db"
PAYMENTS_DB = "payments-db"

STEPS = (RESERVATIONS_INVENTORY, RESERVATIONS_PAYMENTS, RESERVATIONS_NOTIFICATIONS)
"""The calls that one reservation makes, one after another, within one deadline."""
