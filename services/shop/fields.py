"""What requests carry in every service: ids, quantities, and the idempotency key."""

from typing import Annotated
from uuid import uuid4

from msgspec import Meta
from multidict import CIMultiDictProxy

from services.kit.failures.problem import Mechanism, Problem
from services.kit.http.server import checked
from services.kit.policy.findings import Strict

KEY_HEADER = "Idempotency-Key"
ID_CHARS_MAX = 64
ID_PATTERN = r"\A[A-Za-z0-9][A-Za-z0-9._:-]*\Z"
QUANTITY_MIN, QUANTITY_MAX = 1, 10
AMOUNT_CENTS_MAX = 1_000_000_000

Id = Annotated[
    str,
    Meta(
        max_length=ID_CHARS_MAX,
        pattern=ID_PATTERN,
        description=f"1 to {ID_CHARS_MAX} letters, digits and . _ : -, and begin with a letter or digit",
    ),
]
"""An id of a user, an event or a reservation, and an idempotency key."""
Quantity = Annotated[int, Meta(ge=QUANTITY_MIN, le=QUANTITY_MAX)]
"""Seats of one order."""
AmountCents = Annotated[int, Meta(ge=1, le=AMOUNT_CENTS_MAX)]


class KeyHeader(Strict, frozen=True, rename={"key": KEY_HEADER}):
    """The header that distinguishes a repeated request from a new order."""

    key: Id


def key_of(headers: CIMultiDictProxy[str]) -> str:
    """Return a request's idempotency key, a new one when it has none; raises `Problem` 422 when it is invalid."""
    keys = headers.getall(KEY_HEADER, [])
    if len(keys) > 1:
        raise Problem(
            Mechanism.INVALID_INPUT, f"{KEY_HEADER} is there more than once; send it once."
        )
    return checked({KEY_HEADER: keys[0]}, KeyHeader).key if keys else uuid4().hex
