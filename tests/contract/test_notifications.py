"""The real notifications service: its one endpoint, and its bounded memory."""

import aiohttp
import pytest
from kit_harness import Watched, default_policy, listening, make_settings

from services.notifications.app import create_app
from services.notifications.domain import Notice, SentNotices

NOTICE = {"reservation_id": "r-1", "user_id": "ana", "event_id": "e-1", "quantity": 2}


async def post(*bodies: object) -> list[tuple[int, dict[str, object]]]:
    app = create_app(
        make_settings("notifications"), default_policy(), Watched("notifications").telemetry
    )
    answers = []
    async with aiohttp.ClientSession() as session, listening(app) as url:
        for body in bodies:
            async with session.post(f"{url}/notify", json=body) as response:
                answers.append((response.status, await response.json(content_type=None)))
    return answers


async def test_a_notice_is_sent_once() -> None:
    """The same notice again is 200 and repeated: the outbox may deliver twice."""
    assert await post(NOTICE, NOTICE) == [
        (200, {"reservation_id": "r-1", "repeated": False}),
        (200, {"reservation_id": "r-1", "repeated": True}),
    ]


@pytest.mark.parametrize("field", list(NOTICE))
async def test_422_names_the_missing_field(field: str) -> None:
    """A notice that lacks a field is refused with its name."""
    ((status, problem),) = await post({k: v for k, v in NOTICE.items() if k != field})
    assert status == 422
    assert f"{field}: is missing" in str(problem["detail"])


def test_it_forgets_the_oldest() -> None:
    """Memory is bounded: of three notices and room for two, the first is forgotten."""
    sent = SentNotices(remembered_max=2)
    notices = [Notice(f"r-{n}", "u", "e", 1) for n in range(3)]
    assert [sent.send(notice) for notice in notices] == [True] * 3
    assert sent.send(notices[2]) is False
    assert sent.send(notices[0]) is True
