"""Notices, as pure decisions: standard library only, no clock, network or database."""

from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Notice:
    """The message to a user: so many seats of an event are reserved."""

    reservation_id: str
    user_id: str
    event_id: str
    quantity: int


class SentNotices:
    """The latest notices, so that one sent twice reaches its user once. Forgets the oldest, and all on restart."""

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        self._notices: OrderedDict[str, Notice] = OrderedDict()
        self.count = 0

    def send(self, notice: Notice) -> bool:
        """Send the notice; False when it was sent before."""
        if notice.reservation_id in self._notices:
            return False
        self._notices[notice.reservation_id] = notice
        self.count += 1
        if len(self._notices) > self._remembered_max:
            self._notices.popitem(last=False)
        return True
