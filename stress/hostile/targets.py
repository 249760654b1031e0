"""The valid requests of each service, which hostile inputs mutate."""

from dataclasses import dataclass
from types import MappingProxyType

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True)
class Template:
    """A valid request. ``body`` None: without a body. ``weight``: how often it is chosen, relative to 10."""

    method: str
    path: str
    body: dict[str, Json] | None = None
    weight: int = 10


EVENT = "hostile-1"
_ORDER: dict[str, Json] = {"user_id": "ana", "event_id": EVENT, "quantity": 1}
_COMMON = (
    Template("GET", "/healthz", weight=1),
    Template("GET", "/readyz", weight=1),
    Template("GET", "/policy", weight=1),
    Template("GET", "/metrics", weight=1),
)
TEMPLATES = MappingProxyType(
    {
        "gateway": (
            Template("POST", "/reserve", _ORDER, weight=40),
            Template("GET", "/reservations/r-1"),
            Template("GET", f"/events/{EVENT}"),
            Template("GET", "/openapi.json", weight=1),
            *_COMMON,
        ),
        "reservations": (
            Template("POST", "/reserve", _ORDER, weight=20),
            Template("GET", "/reservations/r-1"),
            *_COMMON,
        ),
        "inventory": (
            Template(
                "POST", "/reserve", {"reservation_id": "r-1", "event_id": EVENT, "quantity": 1}
            ),
            Template("POST", "/release", {"reservation_id": "r-1"}),
            Template("GET", f"/events/{EVENT}"),
            Template("PUT", f"/events/{EVENT}", {"capacity": 1_000_000}),
            *_COMMON,
        ),
        "payments": (
            Template(
                "POST", "/pay", {"reservation_id": "r-1", "user_id": "ana", "amount_cents": 100}
            ),
            Template("POST", "/refund", {"reservation_id": "r-1"}),
            Template("GET", "/charges/r-1"),
            *_COMMON,
        ),
        "notifications": (
            Template("POST", "/notify", {"reservation_id": "r-1", **_ORDER}, weight=20),
            *_COMMON,
        ),
    }
)
