"""The JSON bodies that services exchange: each is defined once, for its caller and its callee."""

import msgspec

from services.kit.policy.findings import Strict
from services.shop.fields import AmountCents, Id, Quantity


class ReserveBody(Strict, frozen=True):
    """`POST /reserve` at the gateway and at reservations."""

    user_id: Id
    event_id: Id
    quantity: Quantity


class HoldBody(Strict, frozen=True):
    """`POST /reserve` at inventory."""

    reservation_id: Id
    event_id: Id
    quantity: Quantity


class PayBody(Strict, frozen=True):
    """`POST /pay` at payments."""

    reservation_id: Id
    user_id: Id
    amount_cents: AmountCents


class UndoBody(Strict, frozen=True):
    """`POST /release` at inventory and `POST /refund` at payments."""

    reservation_id: Id


class NotifyBody(Strict, frozen=True):
    """`POST /notify` at notifications."""

    reservation_id: Id
    user_id: Id
    event_id: Id
    quantity: Quantity


class ReservationPath(Strict, frozen=True):
    """The variable part of a path such as `/reservations/{reservation_id}`."""

    reservation_id: Id


class EventPath(Strict, frozen=True):
    """The variable part of `/events/{event_id}`."""

    event_id: Id


class NotificationPart(msgspec.Struct, frozen=True):
    """Whether the user's notice was sent; false: it is waiting in the outbox."""

    sent: bool


class FailurePart(msgspec.Struct, frozen=True):
    """Why a reservation failed."""

    status: int
    mechanism: str
    origin: str
    link: str | None
    detail: str


class ReservationResponse(msgspec.Struct, frozen=True):
    """One reservation as it stands, from reservations and from the gateway."""

    reservation_id: str
    state: str
    user_id: str
    event_id: str
    quantity: int
    amount_cents: int
    notification: NotificationPart
    failure: FailurePart | None
