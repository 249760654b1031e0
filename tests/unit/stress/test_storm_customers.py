"""How customers of the storm react to the responses they get."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from aguante.load_protocol.records import RequestRecord
from stress.client import Client, Reading, ReservationRequest
from stress.customers import Customers, read_reservations
from stress.ledger import Ledger
from stress.schedule import Order

REQUEST = ReservationRequest("key", "ann", "event", 1)
BLANK = RequestRecord(
    seq=0,
    operation="reserve",
    intended_s=0,
    started_s=0,
    latency_ms=0,
    status=0,
    idempotency_key="key",
)


def response(status: int, mechanism: str = "", reservation_id: str = "") -> RequestRecord:
    return msgspec.structs.replace(
        BLANK, status=status, mechanism=mechanism, reservation_id=reservation_id
    )


class Script(Client):
    """A client that returns the responses of a list, in order."""

    def __init__(
        self, ledger: Ledger, responses: Iterable[RequestRecord], states: Iterable[tuple[int, str]]
    ) -> None:
        super().__init__("http://nowhere", ledger)
        self._answers = iter(responses)
        self._states = iter(states)
        self.sent: list[ReservationRequest] = []

    async def reserve(self, order: ReservationRequest, patience_s: float = 7.0) -> RequestRecord:
        self.sent.append(order)
        return next(self._answers)

    async def read_reservation(self, reservation_id: str) -> Reading:
        status, state = next(self._states)
        return Reading(response(status, reservation_id=reservation_id), state)


def order(*, pauses: int = 0, duplicate: bool = False, reads_back: bool = False) -> Order:
    return Order(
        at_s=0,
        request=REQUEST,
        patience_s=7,
        pauses_s=(0.0,) * pauses,
        duplicate=duplicate,
        reads_event=False,
        reads_back=reads_back,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterable[Ledger]:
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        yield ledger


async def played(
    ledger: Ledger,
    wanted: Order,
    responses: list[RequestRecord],
    states: Iterable[tuple[int, str]] = (),
) -> tuple[Customers, Script]:
    script = Script(ledger, responses, states)
    customers = Customers(script)
    await customers.play(wanted)
    return customers, script


async def test_an_unknown_outcome_is_retried_with_the_same_key(ledger: Ledger) -> None:
    """Until there is a 200 or no attempt is left."""
    responses = [
        response(503, "disconnected"),
        response(0, "client_timeout"),
        response(200, "", "r1"),
    ]
    _, script = await played(ledger, order(pauses=3), responses)
    assert script.sent == [REQUEST] * 3


@pytest.mark.parametrize("mechanism", ["sold_out", "payment_declined"])
async def test_a_business_outcome_is_final(ledger: Ledger, mechanism: str) -> None:
    """The same key would get the same response."""
    _, script = await played(ledger, order(pauses=3), [response(409, mechanism)])
    assert len(script.sent) == 1


async def test_one_key_acknowledged_as_two_reservations_is_a_contradiction(ledger: Ledger) -> None:
    """Both responses to a duplicated request must name the same reservation."""
    responses = [response(200, "", "r1"), response(200, "", "r2")]
    customers, _ = await played(ledger, order(duplicate=True), responses)
    assert [each.text for each in customers.contradictions] == [
        "acknowledged as r1, then reported as r2"
    ]


@pytest.mark.parametrize(
    ("status", "state", "contradicts"),
    [(200, "CONFIRMED", 0), (200, "COMPENSATED", 1), (404, "", 1), (503, "", 0)],
)
async def test_an_acknowledged_reservation_must_read_as_confirmed(
    ledger: Ledger, status: int, state: str, contradicts: int
) -> None:
    """Any other state is a contradiction; a failed read is not."""
    responses = [response(200, "", "r1"), response(200, "", "r1")]
    customers, _ = await played(ledger, order(reads_back=True), responses, [(status, state)])
    assert len(customers.contradictions) == contradicts


async def test_a_reservation_is_read_until_there_is_a_response(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that was just restarted may not be ready."""
    monkeypatch.setattr("stress.customers.READ_PAUSE_S", 0.0)
    script = Script(ledger, [], [(503, ""), (200, "COMPENSATED")])
    readings = await read_reservations(script, ["r1"])
    assert [(each.record.status, each.state) for each in readings] == [(200, "COMPENSATED")]
