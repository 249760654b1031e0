"""What customers of the storm do with the answers they get."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from aguante.load_protocol.records import RequestRecord
from stress.client import Client, Reading, Wish
from stress.customers import Customers, ask_what_became_of
from stress.ledger import Ledger
from stress.schedule import Order

WISH = Wish("key", "ann", "event", 1)
BLANK = RequestRecord(
    seq=0,
    operation="reserve",
    intended_s=0,
    started_s=0,
    latency_ms=0,
    status=0,
    idempotency_key="key",
)


def answer(status: int, mechanism: str = "", reservation_id: str = "") -> RequestRecord:
    return msgspec.structs.replace(
        BLANK, status=status, mechanism=mechanism, reservation_id=reservation_id
    )


class Script(Client):
    """Gives the answers of a list, in order."""

    def __init__(
        self, ledger: Ledger, answers: Iterable[RequestRecord], states: Iterable[tuple[int, str]]
    ) -> None:
        super().__init__("http://nowhere", ledger)
        self._answers = iter(answers)
        self._states = iter(states)
        self.asked: list[Wish] = []

    async def reserve(self, wish: Wish, patience_s: float = 7.0) -> RequestRecord:
        self.asked.append(wish)
        return next(self._answers)

    async def read_reservation(self, reservation_id: str) -> Reading:
        status, state = next(self._states)
        return Reading(answer(status, reservation_id=reservation_id), state)


def order(*, pauses: int = 0, twin: bool = False, looks_back: bool = False) -> Order:
    return Order(
        at_s=0,
        wish=WISH,
        patience_s=7,
        pauses_s=(0.0,) * pauses,
        twin=twin,
        reads_event=False,
        looks_back=looks_back,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterable[Ledger]:
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        yield ledger


async def played(
    ledger: Ledger,
    wanted: Order,
    answers: list[RequestRecord],
    states: Iterable[tuple[int, str]] = (),
) -> tuple[Customers, Script]:
    script = Script(ledger, answers, states)
    customers = Customers(script)
    await customers.play(wanted)
    return customers, script


async def test_an_unknown_end_is_asked_for_again_with_the_same_key(ledger: Ledger) -> None:
    """Until there is a 200, or no patience is left."""
    answers = [answer(503, "disconnected"), answer(0, "client_timeout"), answer(200, "", "r1")]
    _, script = await played(ledger, order(pauses=3), answers)
    assert script.asked == [WISH] * 3


@pytest.mark.parametrize("mechanism", ["sold_out", "payment_declined"])
async def test_a_business_answer_is_final(ledger: Ledger, mechanism: str) -> None:
    """The same key would get it again."""
    _, script = await played(ledger, order(pauses=3), [answer(409, mechanism)])
    assert len(script.asked) == 1


async def test_one_key_acknowledged_as_two_reservations_is_a_contradiction(ledger: Ledger) -> None:
    """Whichever of the twins came first, both must name the same."""
    answers = [answer(200, "", "r1"), answer(200, "", "r2")]
    customers, _ = await played(ledger, order(twin=True), answers)
    assert [each.said for each in customers.contradictions] == ["acknowledged as r1, then told r2"]


@pytest.mark.parametrize(
    ("status", "state", "contradicts"),
    [(200, "CONFIRMED", 0), (200, "COMPENSATED", 1), (404, "", 1), (503, "", 0)],
)
async def test_an_acknowledged_reservation_must_read_as_confirmed(
    ledger: Ledger, status: int, state: str, contradicts: int
) -> None:
    """Anything else is a contradiction; no answer is none."""
    answers = [answer(200, "", "r1"), answer(200, "", "r1")]
    customers, _ = await played(ledger, order(looks_back=True), answers, [(status, state)])
    assert len(customers.contradictions) == contradicts


async def test_what_became_of_a_reservation_is_asked_until_there_is_an_answer(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that was just started may not answer at once."""
    monkeypatch.setattr("stress.customers.ASK_PAUSE_S", 0.0)
    script = Script(ledger, [], [(503, ""), (200, "COMPENSATED")])
    readings = await ask_what_became_of(script, ["r1"])
    assert [(each.record.status, each.state) for each in readings] == [(200, "COMPENSATED")]
