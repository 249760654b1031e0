"""``python stock.py URL``: creates an event with seats to sell, at inventory's own address."""

import sys
import urllib.request

CAPACITY = 1_000_000
LIMIT_S = 10.0

request = urllib.request.Request(  # noqa: S310 - the compose file gives an http address
    sys.argv[1],
    data=b'{"capacity": %d}' % CAPACITY,
    headers={"Content-Type": "application/json"},
    method="PUT",
)
with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310 - as above
    print(answer.status, answer.read().decode())
